import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { GetObjectCommand } from '@aws-sdk/client-s3';
import { expect, it } from 'vitest';
import { startS3Server } from '../../../local/s3/s3-server.ts';
import { type ChildResult, writeResults } from '../../../local/step-functions/result-writer.ts';
import { clientOf } from '../../support/served-bucket.ts';

it('begins a next file where one would be larger than allowed, and loses no record', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'result-writer-'));
  const results = { folder: path.join(folder, 'results'), state: path.join(folder, 'state') };
  const server = await startS3Server({ buckets: { results } });
  const s3 = clientOf(server.endpoint);
  const mapRunArn = 'arn:aws:states:us-east-1:000000000000:mapRun:press/Each:the-uuid';
  const sink = await writeResults({ s3, mapRunArn, bucket: 'results', prefix: 'at/', bytesPerFile: 10_000 });
  try {
    // Records end at the same time, some of them larger than what is written in one go.
    await Promise.all(Array.from({ length: 40 }, (_, n) => sink.add(pending(n, n === 5 ? 90_000 : 1000))));
    await sink.close();

    const read = async (name: string) => {
      const found = await s3.send(new GetObjectCommand({ Bucket: 'results', Key: `at/the-uuid/${name}` }));
      return found.Body!.transformToString();
    };
    const files = JSON.parse(await read('manifest.json')).ResultFiles.PENDING as {
      Key: string;
      Size: number;
    }[];
    expect(files.map(({ Key }) => path.basename(Key))).toEqual(files.map((_, n) => `PENDING_${n}.json`));
    expect(files.length).toBeGreaterThan(4);
    expect(files.filter(({ Size }) => Size > 10_000)).toHaveLength(1);
    const texts = await Promise.all(files.map(({ Key }) => read(path.basename(Key))));
    const inputs = texts.flatMap((text) => JSON.parse(text)).map(({ Input }) => JSON.parse(Input).n);
    expect(inputs).toEqual(Array.from({ length: 40 }, (_, n) => n));
  } finally {
    await sink.discard();
    s3.destroy();
    await server.close();
    await rm(folder, { recursive: true, force: true });
  }
});

const pending = (n: number, letters: number): ChildResult => ({
  status: 'PENDING',
  input: { n, text: 'x'.repeat(letters) },
});
