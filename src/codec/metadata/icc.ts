/** Header and number of tags: no profile is shorter, and readers of AVIF refuse a file with an empty one. */
export const SHORTEST_PROFILE = 132;

/** The profile, or undefined where so few bytes are none. */
export function usableProfile(profile: Uint8Array | undefined): Uint8Array | undefined {
  return profile && profile.length >= SHORTEST_PROFILE ? profile : undefined;
}
