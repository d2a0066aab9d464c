/** One value for each pixel, row by row. */
export type Plane = Float32Array;

/** In loops over pixels this costs nothing: the compiler inlines it. 0 beyond the end. */
export function valueAt(plane: Plane, index: number): number {
  return plane[index] ?? 0;
}
