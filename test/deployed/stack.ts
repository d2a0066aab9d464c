import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  DeleteObjectsCommand,
  HeadObjectCommand,
  type HeadObjectCommandOutput,
  ListObjectVersionsCommand,
  type ListObjectVersionsCommandOutput,
  type ObjectVersion,
  PutObjectCommand,
  type PutObjectCommandInput,
} from '@aws-sdk/client-s3';
import { createS3Client, createS3Store } from '../../src/store/s3-store.ts';

/** The stack output StateMachineArn; the names of the buckets follow from it. */
export const STATE_MACHINE_ARN = process.env.STATE_MACHINE_ARN ?? '';
const MACHINE = /^arn:[\w-]+:states:([\w-]+):(\d{12}):stateMachine:(image-press-[a-z0-9-]+)-compress-images$/;

const named = MACHINE.exec(STATE_MACHINE_ARN);
if (!named)
  throw new Error(
    `Expected the stack output StateMachineArn in the environment variable STATE_MACHINE_ARN but received "${STATE_MACHINE_ARN}"`,
  );
export const [, region, account, stack] = named as unknown as string[];
export const INPUT_BUCKET = `${stack}-input-${account}-${region}`;
export const OUTPUT_BUCKET = `${stack}-output-${account}-${region}`;
export const UPLOAD_BUCKET = `${stack}-upload-${account}-${region}`;

/** Prefix of everything that a run writes; it is deleted at the end. */
export const RUN = `deployed-test/${randomBytes(4).toString('hex')}/`;

export const client = createS3Client({ region });
export const store = createS3Store(client);

export async function put(
  Bucket: string,
  key: string,
  Body: Uint8Array | string,
  input: Partial<PutObjectCommandInput> = {},
): Promise<void> {
  await client.send(new PutObjectCommand({ Bucket, Key: RUN + key, Body, ...input }));
}

export function head(Bucket: string, key: string): Promise<HeadObjectCommandOutput> {
  return client.send(new HeadObjectCommand({ Bucket, Key: RUN + key, ChecksumMode: 'ENABLED' }));
}

/** How often each key of this run was written, deletions not counted. The bucket keeps versions. */
export async function writesByKey(bucket: string): Promise<Map<string, number>> {
  const writes = new Map<string, number>();
  for (const { Key } of (await versionsBelow(bucket, RUN)).versions) {
    const key = Key!.slice(RUN.length);
    writes.set(key, (writes.get(key) ?? 0) + 1);
  }
  return writes;
}

/** Waits until nothing has been written for a while. */
export async function waitUntilIdle(bucket: string): Promise<void> {
  const quietMs = Number(process.env.QUIET_SECONDS ?? 30) * 1000;
  let seen = '';
  for (let quietSince = Date.now(); Date.now() - quietSince < quietMs; await sleep(1000)) {
    const now = JSON.stringify([...(await writesByKey(bucket))]);
    if (now !== seen) quietSince = Date.now();
    seen = now;
  }
}

export async function deleteRun(bucket: string, prefix = RUN): Promise<void> {
  const { versions, markers } = await versionsBelow(bucket, prefix);
  const Objects = [...versions, ...markers].map(({ Key, VersionId }) => ({ Key: Key!, VersionId }));
  for (let at = 0; at < Objects.length; at += 1000) {
    const Delete = { Objects: Objects.slice(at, at + 1000), Quiet: true };
    await client.send(new DeleteObjectsCommand({ Bucket: bucket, Delete }));
  }
}

async function versionsBelow(Bucket: string, Prefix: string) {
  const versions: ObjectVersion[] = [];
  const markers: ObjectVersion[] = [];
  let page: ListObjectVersionsCommandOutput | undefined;
  do {
    const { NextKeyMarker: KeyMarker, NextVersionIdMarker: VersionIdMarker } = page ?? {};
    page = await client.send(
      new ListObjectVersionsCommand({ Bucket, Prefix, KeyMarker, VersionIdMarker, EncodingType: 'url' }),
    );
    versions.push(...(page.Versions ?? []));
    markers.push(...(page.DeleteMarkers ?? []));
  } while (page.IsTruncated);
  return { versions, markers };
}
