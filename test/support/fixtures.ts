/** Makers of the pictures the tests run on: small, deterministic, each with one peculiarity. */

export * from './fixtures/avif.ts';
export * from './fixtures/bytes.ts';
export * from './fixtures/damage.ts';
export * from './fixtures/gif-and-webp.ts';
export * from './fixtures/jpeg.ts';
export * from './fixtures/jpeg-parts.ts';
export * from './fixtures/metadata.ts';
export * from './fixtures/pixels.ts';
export * from './fixtures/png.ts';
export * from './fixtures/tiff.ts';
