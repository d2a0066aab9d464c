import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';

/** The checksum of an object: S3 keeps one per object. */
export interface Checksum {
  readonly algorithm: ChecksumAlgorithm;
  /** Base64; a composite of parts ends in `-<number of parts>`. */
  readonly value: string;
  readonly type: 'FULL_OBJECT' | 'COMPOSITE';
}

export type ChecksumAlgorithm = keyof typeof ALGORITHMS;

export function startChecksum(algorithm: ChecksumAlgorithm) {
  const { update, digest } = ALGORITHMS[algorithm]();
  return { update, result: (): Checksum => ({ algorithm, value: digest(), type: 'FULL_OBJECT' }) };
}

export function checksumHeader(algorithm: ChecksumAlgorithm): string {
  return `x-amz-checksum-${algorithm.toLowerCase()}`;
}

/** `x-amz-checksum-crc32` → `CRC32`; undefined for other headers and unknown algorithms. */
export function checksumAlgorithmOf(name: string): ChecksumAlgorithm | undefined {
  const algorithm = name.replace(/^x-amz-checksum-/, '').toUpperCase();
  return algorithm in ALGORITHMS ? (algorithm as ChecksumAlgorithm) : undefined;
}

/** The checksum of an upload from those of its parts, as S3 computes it: over the digests, in order. */
export function compositeChecksum(algorithm: ChecksumAlgorithm, parts: readonly string[]): Checksum {
  const { update, digest } = ALGORITHMS[algorithm]();
  for (const part of parts) update(Buffer.from(part, 'base64'));
  return { algorithm, value: `${digest()}-${parts.length}`, type: 'COMPOSITE' };
}

interface Digest {
  update(chunk: Uint8Array): void;
  /** Base64. */
  digest(): string;
}

const ALGORITHMS = {
  CRC32: crc32Checksum,
  CRC32C: crc32cChecksum,
  CRC64NVME: crc64NvmeChecksum,
  SHA1: () => hashChecksum('sha1'),
  SHA256: () => hashChecksum('sha256'),
};

function hashChecksum(name: string): Digest {
  const hash = createHash(name);
  return { update: (chunk) => void hash.update(chunk), digest: () => hash.digest('base64') };
}

function crc32Checksum(): Digest {
  let value = 0;
  return {
    update: (chunk) => {
      value = crc32(chunk, value);
    },
    digest: () => base64Of([value]),
  };
}

function crc32cChecksum(): Digest {
  let value = 0xffffffff;
  return {
    update: (chunk) => {
      for (const byte of chunk) value = (CRC32C_TABLE[(value ^ byte) & 0xff] ?? 0) ^ (value >>> 8);
    },
    digest: () => base64Of([~value]),
  };
}

// 64 bits as two halves: BigInt would be about fifty times slower.
function crc64NvmeChecksum(): Digest {
  let high = 0xffffffff;
  let low = 0xffffffff;
  return {
    update: (chunk) => {
      for (const byte of chunk) {
        const index = (low ^ byte) & 0xff;
        low = ((low >>> 8) | (high << 24)) ^ (CRC64_LOW[index] ?? 0);
        high = (high >>> 8) ^ (CRC64_HIGH[index] ?? 0);
      }
    },
    digest: () => base64Of([~high, ~low]),
  };
}

function base64Of(words: readonly number[]): string {
  const bytes = Buffer.alloc(words.length * 4);
  words.forEach((word, index) => {
    bytes.writeUInt32BE(word >>> 0, index * 4);
  });
  return bytes.toString('base64');
}

const CRC32C_TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
  return value;
});

const CRC64_TABLE = Array.from({ length: 256 }, (_, index) => {
  let value = BigInt(index);
  for (let bit = 0; bit < 8; bit++) value = value & 1n ? (value >> 1n) ^ 0x9a6c9329ac4bc9b5n : value >> 1n;
  return value;
});
const CRC64_HIGH = Uint32Array.from(CRC64_TABLE, (value) => Number(value >> 32n));
const CRC64_LOW = Uint32Array.from(CRC64_TABLE, (value) => Number(value & 0xffffffffn));
