/**
 * Loaded by `--import` before anything else: from the second run on, modules need not be stripped of their types
 * and compiled again, which is half of what a small job waits for.
 */
import { enableCompileCache } from 'node:module';
import { fileURLToPath } from 'node:url';

enableCompileCache(fileURLToPath(new URL('../../node_modules/.cache/image-press', import.meta.url)));
