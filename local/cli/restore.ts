import { createReadStream, existsSync, statSync } from 'node:fs';
import path from 'node:path';
import type { S3Client } from '@aws-sdk/client-s3';
import { linesOf } from '../../src/core/lines.ts';
import type { ObjectStore } from '../../src/core/object-store.ts';
import { formatS3Uri, parseS3Uri } from '../../src/core/s3-uri.ts';
import { parseUndoEntry, type UndoEntry } from '../../src/core/undo.ts';
import { createS3Client, createS3Store } from '../../src/store/s3-store.ts';
import { type Restoration, restoreObject } from '../../src/undo/restore-object.ts';
import { EXIT } from './exit-codes.ts';
import { findUndo, isJobName } from './find-undo.ts';
import { parseOptions, printHelp, runCommand, UsageError } from './run-command.ts';

const HELP = `image-press restore: restore the originals of images that were replaced in place

  npm run restore -- <jobId> [--dry-run]              finds its undo.jsonl in the output buckets of your account
  npm run restore -- <undo.jsonl | s3://bucket/jobs/<jobId>/undo.jsonl> [--dry-run]

  Originals come from the bucket's versions, or from the job's 'backup'. An image that was changed or deleted
  since then is left as it is and named. The AWS settings of the environment apply (AWS_PROFILE, AWS_REGION, …).

  --dry-run       show what would be restored, write nothing
  --help          this text

Exit code: 0 every original is restored · 1 some are not (named) · 2 wrong usage · 3 the list could not be read`;

const OPTIONS = { 'dry-run': { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } as const;
const CONCURRENCY = 8;

/** `npm run restore`: restores every line of an undo.jsonl, several at once. @returns the exit code */
async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseOptions(args, OPTIONS, 'npm run restore -- --help');
  if (values.help) return printHelp(HELP);
  const [place] = positionals;
  if (place === undefined || positionals.length > 1)
    throw new UsageError(
      `Expected one undo.jsonl but received ${positionals.join(' ') || 'none'}. See npm run restore -- --help`,
    );
  const client = createS3Client();
  const list = await listAt(place, client);
  const dryRun = values['dry-run'] ?? false;
  const store = createS3Store(client);
  const counts = { restored: 0, 'already-original': 0, refused: 0, failed: 0 };
  await restoreAll(entriesOf(list, store), store, dryRun, (entry, outcome) => {
    counts[outcome.status] += 1;
    print(entry, outcome, dryRun);
  });
  console.error(
    `${counts.restored} ${dryRun ? 'can be ' : ''}restored, ${counts['already-original']} ${counts['already-original'] === 1 ? 'is' : 'are'} already the original, ${counts.refused} refused, ${counts.failed} failed`,
  );
  return counts.refused + counts.failed > 0 ? EXIT.someFailed : EXIT.done;
}

/** The path or URI of the undo.jsonl that the user names, or whose job. */
async function listAt(place: string, client: S3Client): Promise<string> {
  if (isJobName(place) && !existsSync(place)) return findUndo(place, client);
  checkPlace(place);
  return place;
}

function checkPlace(place: string): void {
  if (place.startsWith('s3:')) {
    if (parseS3Uri(place)) return;
    throw new UsageError(
      `Expected s3://bucket/key of an undo.jsonl but received ${place}\nSee npm run restore -- --help`,
    );
  }
  const file = statSync(place, { throwIfNoEntry: false });
  if (!file) throw new UsageError(`Expected an undo.jsonl but there is no ${path.resolve(place)}`);
  if (file.isDirectory()) throw new UsageError(`Expected an undo.jsonl but ${path.resolve(place)} is a folder`);
}

async function restoreAll(
  entries: AsyncGenerator<UndoEntry>,
  store: ObjectStore,
  dryRun: boolean,
  onOutcome: (entry: UndoEntry, outcome: Restoration) => void,
): Promise<void> {
  // Without `return`, several loops may read from one generator: none of them closes it when it ends.
  const shared = { [Symbol.asyncIterator]: () => ({ next: () => entries.next() }) };
  const work = async () => {
    for await (const entry of shared) onOutcome(entry, await restoreObject(entry, store, { dryRun }));
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, work));
}

async function* entriesOf(place: string, store: ObjectStore): AsyncGenerator<UndoEntry> {
  const location = parseS3Uri(place);
  const bytes = location ? store.read(location) : createReadStream(place);
  let number = 0;
  for await (const line of linesOf(bytes)) {
    number += 1;
    if (line.trim() === '') continue;
    const entry = parseUndoEntry(line);
    if (!entry)
      throw new Error(
        `Expected a line of undo.jsonl (bucket, key, etagBefore, etagAfter) at ${place}:${number} but received ${line.slice(0, 120)}`,
      );
    yield entry;
  }
}

function print(entry: UndoEntry, outcome: Restoration, dryRun: boolean): void {
  const uri = formatS3Uri(entry);
  if (outcome.status === 'restored')
    console.log(`${dryRun ? 'would restore' : 'restored'} ${uri} from ${outcome.from}`);
  if (outcome.status === 'already-original') console.log(`already original ${uri}`);
  if ('reason' in outcome) console.error(`${outcome.status} ${uri}: ${outcome.reason}`);
  if ('cause' in outcome) console.error(outcome.cause);
}

void runCommand(main);
