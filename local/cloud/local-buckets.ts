/** The buckets of local mode by name: what a deployment calls its own, and the user's folders. */

/** Job files; a deployment has them in its output bucket. */
export const WORK_BUCKET = 'local-work';
export const OUTPUT_BUCKET = 'local-output';
export const INPUT_BUCKET = 'local-input';
export const UPLOAD_BUCKET = 'local-uploads';
/** The user's folder, only ever read. */
export const SOURCE_BUCKET = 'local-source';
/** The folder of the file list, only ever read. */
export const LIST_BUCKET = 'local-lists';

/** Beside the outputs: job files, logs and what the outputs are known by. No folder of that name is a source. */
export const OWN_FOLDER = '.image-press';
