import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
  type UploadPartCommandInput,
} from '@aws-sdk/client-s3';

/** The smallest part that S3 accepts; 10,000 of them, the maximum, are 50 GB. */
const PART_BYTES = 5 * 1024 * 1024;

/**
 * Writes an object of unknown length through one buffer that is filled and sent repeatedly, so that memory stays the
 * same for any length. (@aws-sdk/lib-storage allocates a new buffer for every part, 100 MB and more until they are
 * collected.) When `chunks` throws, nothing is written.
 */
export async function uploadInParts(
  client: S3Client,
  target: { readonly Bucket: string; readonly Key: string; readonly ContentType: string },
  chunks: AsyncIterable<Uint8Array | string>,
): Promise<void> {
  const parts = partsOf(chunks);
  const first = await parts.next();
  if (first.done || first.value.isLast) {
    await client.send(new PutObjectCommand({ ...target, Body: first.value?.bytes ?? new Uint8Array() }));
    return;
  }
  const { Bucket, Key } = target;
  const create = new CreateMultipartUploadCommand({ ...target, ChecksumAlgorithm: 'CRC32' });
  const { UploadId } = await client.send(create);
  const upload = { Bucket, Key, UploadId };
  try {
    const Parts = [await sendPart(client, upload, 1, first.value.bytes)];
    for await (const { bytes } of parts) Parts.push(await sendPart(client, upload, Parts.length + 1, bytes));
    await client.send(new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts } }));
  } catch (error) {
    // Parts of an incomplete upload are billed. The caller gets the first error, not one of the abort.
    await client.send(new AbortMultipartUploadCommand(upload)).catch(() => {});
    throw error;
  }
}

type Upload = Pick<UploadPartCommandInput, 'Bucket' | 'Key' | 'UploadId'>;

async function sendPart(client: S3Client, upload: Upload, PartNumber: number, Body: Uint8Array) {
  const command = new UploadPartCommand({ ...upload, PartNumber, Body, ChecksumAlgorithm: 'CRC32' });
  const { ETag, ChecksumCRC32 } = await client.send(command);
  return { PartNumber, ETag, ChecksumCRC32 };
}

interface Part {
  /** A view of the one buffer: overwritten when the next part is requested. */
  readonly bytes: Uint8Array;
  readonly isLast: boolean;
}

async function* partsOf(chunks: AsyncIterable<Uint8Array | string>): AsyncGenerator<Part> {
  const buffer = Buffer.allocUnsafeSlow(PART_BYTES);
  let filled = 0;
  for await (const chunk of chunks) {
    let rest = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    while (rest.length > 0) {
      // A full part is sent only when more follows: the last one ends the upload.
      if (filled === PART_BYTES) {
        yield { bytes: buffer, isLast: false };
        filled = 0;
      }
      const fits = rest.subarray(0, PART_BYTES - filled);
      buffer.set(fits, filled);
      filled += fits.length;
      rest = rest.subarray(fits.length);
    }
  }
  yield { bytes: buffer.subarray(0, filled), isLast: true };
}
