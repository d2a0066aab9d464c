/**
 * The mark: one user metadata entry on every output. It binds the output to its source, to the settings, and to
 * its own content, so that a copied, stale or edited object does not pass for one of ours.
 */
export const MARK_KEY = 'image-press';
