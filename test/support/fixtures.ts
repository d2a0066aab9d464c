import { crc32, deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { readIsoImage, readItemContent } from '../../src/codec/isobmff/image.ts';

/** Makers of the pictures the codec's tests run on: small, deterministic, each with one peculiarity. */

export interface JpegOptions {
  readonly width?: number;
  readonly height?: number;
  readonly quality?: number;
  readonly progressive?: boolean;
  readonly chromaSubsampling?: '4:2:0' | '4:4:4';
  readonly colourspace?: 'srgb' | 'b-w' | 'cmyk';
  readonly seed?: number;
}

/** A JPEG of a made-up photograph without any metadata: 96 × 64 unless told otherwise. */
export async function makeJpeg(options: JpegOptions = {}): Promise<Uint8Array> {
  const { width = 96, height = 64, quality = 85, colourspace = 'srgb', seed } = options;
  return bytesOf(
    await sharp(photoPixels(width, height, 3, seed), { raw: { width, height, channels: 3 } })
      .toColourspace(colourspace)
      .jpeg({
        quality,
        progressive: options.progressive ?? false,
        chromaSubsampling: options.chromaSubsampling ?? '4:2:0',
        optimiseCoding: false,
      })
      .toBuffer(),
  );
}

/** Smooth colours with edges and grain, the same for the same seed. */
export function photoPixels(width: number, height: number, channels = 3, seed = 1): Uint8Array {
  const pixels = new Uint8Array(width * height * channels);
  const random = randomFrom(seed);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const inDisc = (x - width / 2) ** 2 + (y - height / 2) ** 2 < (height / 3) ** 2 ? 70 : 0;
      for (let channel = 0; channel < channels; channel++, at++) {
        const slope = (x * (channel + 2) + y * (5 - channel)) / (width + height);
        pixels[at] =
          channel === 3 ? (x * 255) / width : (slope * 50 + inDisc + random() * 16 + seed * 7) & 255;
      }
    }
  }
  return pixels;
}

export function randomFrom(seed: number): () => number {
  let state = (seed * 2654435761) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state / 2 ** 32;
  };
}

// JPEG segments

export interface Segment {
  /** 0xe1 for APP1 and so on. */
  readonly marker: number;
  readonly payload: Uint8Array;
}

/** The JPEG with these segments added, in this order, right after SOI and a JFIF header if it has one. */
export function withSegments(jpeg: Uint8Array, segments: readonly Segment[]): Uint8Array {
  const hasJfif = jpeg[3] === 0xe0;
  const at = hasJfif ? 4 + ((jpeg[4]! << 8) | jpeg[5]!) : 2;
  return concat(jpeg.subarray(0, at), ...segments.map(segmentBytes), jpeg.subarray(at));
}

function segmentBytes({ marker, payload }: Segment): Uint8Array {
  return concat([0xff, marker], uint16(payload.length + 2), payload);
}

export function jfif(xDensity = 300, yDensity = 300): Segment {
  return {
    marker: 0xe0,
    payload: concat(ascii('JFIF\0'), [1, 2, 1], uint16(xDensity), uint16(yDensity), [0, 0]),
  };
}

export function exifSegment(exif: ExifOptions): Segment {
  return { marker: 0xe1, payload: concat(ascii('Exif\0\0'), exifBlock(exif)) };
}

export function xmpSegment(packet: Uint8Array): Segment {
  return { marker: 0xe1, payload: concat(ascii('http://ns.adobe.com/xap/1.0/\0'), packet) };
}

/** Extended XMP in as many segments as `chunkSize` makes. */
export function extendedXmpSegments(packet: Uint8Array, guid: string, chunkSize = 20_000): Segment[] {
  const segments: Segment[] = [];
  for (let offset = 0; offset < packet.length; offset += chunkSize) {
    segments.push({
      marker: 0xe1,
      payload: concat(
        ascii('http://ns.adobe.com/xmp/extension/\0'),
        ascii(guid),
        uint32(packet.length),
        uint32(offset),
        packet.subarray(offset, offset + chunkSize),
      ),
    });
  }
  return segments;
}

export function iccSegments(profile: Uint8Array, chunkSize = 65_519): Segment[] {
  const count = Math.ceil(profile.length / chunkSize);
  return Array.from({ length: count }, (_, index) => ({
    marker: 0xe2,
    payload: concat(
      ascii('ICC_PROFILE\0'),
      [index + 1, count],
      profile.subarray(index * chunkSize, (index + 1) * chunkSize),
    ),
  }));
}

export function commentSegment(text: string): Segment {
  return { marker: 0xfe, payload: ascii(text) };
}

/** Photoshop's APP13 with IPTC: by-line, copyright, city, caption. */
export function iptcSegment(values: { byline?: string; copyright?: string; city?: string }): Segment {
  const dataset = (id: number, text: string | undefined) =>
    text === undefined ? [] : concat([0x1c, 2, id], uint16(text.length), ascii(text));
  const iptc = concat(dataset(80, values.byline), dataset(90, values.city), dataset(116, values.copyright));
  return photoshopSegment(photoshopResource(0x0404, iptc));
}

/** APP13 with these resources. */
export function photoshopSegment(resources: Uint8Array): Segment {
  return { marker: 0xed, payload: concat(ascii('Photoshop 3.0\0'), resources) };
}

export function photoshopResource(id: number, content: Uint8Array = new Uint8Array(16), signature = '8BIM') {
  const padding = content.length % 2 ? [0] : [];
  return concat(ascii(signature), uint16(id), [0, 0], uint32(content.length), content, padding);
}

/** APP11 with a JUMBF box of C2PA. */
export function c2paSegment(): Segment {
  const description = concat(uint32(8 + 16 + 1 + 5), ascii('jumd'), C2PA_UUID, [3], ascii('c2pa\0'));
  const box = concat(uint32(8 + description.length), ascii('jumb'), description);
  return { marker: 0xeb, payload: concat(ascii('JP'), uint16(1), uint32(1), box) };
}

const C2PA_UUID = [0x63, 0x32, 0x70, 0x61, 0, 0x11, 0, 0x10, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71];

// JPEG files of several parts

/** Two pictures in one file, as 3D cameras write them. */
export async function makeMpo(): Promise<Uint8Array> {
  const second = await makeJpeg({ seed: 2 });
  return withMultiPicture(await makeJpeg(), second);
}

/** A camera's picture with a preview of it behind its end; `pointer` makes the maker's notes point there, too. */
export async function makeJpegWithPreview(pointer?: number): Promise<Uint8Array> {
  const photo = await makeJpeg({ width: 600, height: 450, quality: 95 });
  const preview = await makeJpeg({ width: 50, height: 38, quality: 60 });
  const withPointer = (value: number) =>
    withMultiPicture(
      withSegments(photo, [{ marker: 0xe1, payload: concat(ascii('Exif\0\0'), makerNotes(value)) }]),
      preview,
      LARGE_THUMBNAIL,
    );
  const plain = withPointer(0);
  const tiffStart = 20 + 4 + 6;
  return pointer === undefined ? plain : withPointer(plain.length - preview.length - tiffStart + pointer);
}

type SamsungBlock = readonly [type: number, name: string, value: Uint8Array];

/** What Samsung's phones put behind a JPEG: blocks, and a directory whose entries count back from it. */
export function samsungNotes(
  blocks: readonly SamsungBlock[] = [
    [0x0a01, 'Image_UTC_Data', ascii('1669716934000')],
    [0x0aa1, 'MCC_Data', ascii('310')],
  ],
): Uint8Array {
  const type = (number: number) => concat([0, 0], uint16(number, true));
  const written = blocks.map(([number, name, value]) =>
    concat(type(number), uint32(name.length, true), ascii(name), value),
  );
  const entries = written.map((block, index) => {
    const back = written.slice(index).reduce((sum, { length }) => sum + length, 0);
    return concat(type(blocks[index]![0]), uint32(back, true), uint32(block.length, true));
  });
  const directory = concat(ascii('SEFH'), uint32(106, true), uint32(blocks.length, true), ...entries);
  return concat(...written, directory, uint32(directory.length, true), ascii('SEFT'));
}

/** The boxes of an MP4, with nothing to be seen in them. */
export function makeFilm(): Uint8Array {
  const box = (type: string, content: Uint8Array) => concat(uint32(8 + content.length), ascii(type), content);
  return concat(
    box('ftyp', ascii('mp42\0\0\0\0mp42')),
    box('mdat', photoPixels(20, 20, 3, 5)),
    box('moov', new Uint8Array(100)),
  );
}

function makerNotes(previewStart: number): Uint8Array {
  return concat(
    ascii('MM\0*'),
    uint32(8),
    uint16(1),
    uint16(0x2001),
    uint16(4),
    uint32(1),
    uint32(previewStart),
    uint32(0),
  );
}

export const LARGE_THUMBNAIL = 0x010002;

/** The JPEG with an MPF index in APP2 and a second JPEG behind its end. */
export function withMultiPicture(first: Uint8Array, second: Uint8Array, type = 0): Uint8Array {
  const mpfLength = 2 + 2 + 4 + MPF_LENGTH;
  const firstLength = first.length + mpfLength;
  const tiffStart = (first[3] === 0xe0 ? 4 + ((first[4]! << 8) | first[5]!) : 2) + 8;
  const payload = concat(ascii('MPF\0'), mpfIndex(firstLength, second.length, firstLength - tiffStart, type));
  return concat(withSegments(first, [{ marker: 0xe2, payload }]), second);
}

const MPF_LENGTH = 8 + 2 + 3 * 12 + 4 + 2 * 16;

function mpfIndex(
  firstLength: number,
  secondLength: number,
  secondOffset: number,
  secondType: number,
): Uint8Array {
  const entry = (tag: number, type: number, count: number, value: Uint8Array) =>
    concat(uint16(tag), uint16(type), uint32(count), value);
  return concat(
    ascii('MM\0*'),
    uint32(8),
    uint16(3),
    entry(0xb000, 7, 4, ascii('0100')),
    entry(0xb001, 4, 1, uint32(2)),
    entry(0xb002, 7, 32, uint32(8 + 2 + 36 + 4)),
    uint32(0),
    concat(uint32(0x030000), uint32(firstLength), uint32(0), uint32(0)),
    concat(uint32(secondType), uint32(secondLength), uint32(secondOffset), uint32(0)),
  );
}

/** Ultra HDR as Android writes it (`hdrgm` XMP) or by ISO 21496-1, or as Apple does. */
export async function makeGainMapJpeg(kind: 'hdrgm' | 'iso' | 'apple' = 'hdrgm'): Promise<Uint8Array> {
  const base = await makeJpeg();
  const map = await makeJpeg({ width: 24, height: 16, colourspace: 'b-w', seed: 3 });
  if (kind === 'iso') {
    const urn = ascii('urn:iso:std:iso:ts:21496:-1\0');
    return withMultiPicture(
      withSegments(base, [{ marker: 0xe2, payload: concat(urn, [0, 0, 0, 0]) }]),
      withSegments(map, [{ marker: 0xe2, payload: concat(urn, new Uint8Array(40)) }]),
    );
  }
  if (kind === 'apple') {
    const packet = xmpDescription(
      'xmlns:HDRGainMap="http://ns.apple.com/HDRGainMap/1.0/" xmlns:apdi="http://ns.apple.com/pixeldatainfo/1.0/" apdi:AuxiliaryImageType="urn:com:apple:photo:2020:aux:hdrgainmap" HDRGainMap:HDRGainMapVersion="65536"',
    );
    return withMultiPicture(base, withSegments(map, [xmpSegment(packet)]));
  }
  const container =
    '<Container:Directory xmlns:Container="http://ns.google.com/photos/1.0/container/" xmlns:Item="http://ns.google.com/photos/1.0/container/item/"><rdf:Seq><rdf:li rdf:parseType="Resource"><Container:Item Item:Semantic="Primary" Item:Mime="image/jpeg"/></rdf:li>' +
    `<rdf:li rdf:parseType="Resource"><Container:Item Item:Semantic="GainMap" Item:Mime="image/jpeg" Item:Length="${map.length}"/></rdf:li></rdf:Seq></Container:Directory>`;
  const packet = xmpDescription(
    'xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0"',
    container,
  );
  return withMultiPicture(withSegments(base, [xmpSegment(packet)]), map);
}

export function withTrailingBytes(file: Uint8Array, trailing: Uint8Array | number): Uint8Array {
  return concat(file, typeof trailing === 'number' ? photoPixels(trailing, 1, 1, 9) : trailing);
}

/** A grey JPEG of plain 8 × 8 blocks with a restart marker after every second one. */
export function makeRestartJpeg(blocksAcross = 6, blocksDown = 4): Uint8Array {
  const table = (kind: number, lengths: number[], values: number[]) =>
    concat([0xff, 0xc4], uint16(19 + values.length), [kind], lengths, values);
  const noLengths = Array.from({ length: 16 }, () => 0);
  const dcLengths = noLengths.with(3, 9); // nine codes of four bits: 0000 to 1000 mean sizes 0 to 8
  const acLengths = noLengths.with(0, 1); // the one code `0` means end of block
  return concat(
    [0xff, 0xd8, 0xff, 0xdb],
    uint16(67),
    [0],
    Array.from({ length: 64 }, () => 8),
    [0xff, 0xc0],
    uint16(11),
    [8],
    uint16(blocksDown * 8),
    uint16(blocksAcross * 8),
    [1, 1, 0x11, 0],
    table(0x00, dcLengths, [0, 1, 2, 3, 4, 5, 6, 7, 8]),
    table(0x10, acLengths, [0]),
    [0xff, 0xdd, 0, 4, 0, 2, 0xff, 0xda],
    uint16(8),
    [1, 1, 0, 0, 63, 0],
    restartScan(blocksAcross * blocksDown),
    [0xff, 0xd9],
  );
}

function restartScan(blocks: number): Uint8Array {
  const parts: (Uint8Array | number[])[] = [];
  for (let block = 0; block < blocks; block += 2) {
    const first = (block * 37) % 200;
    parts.push(packBits(dcCode(first - 100) + dcCode(13)));
    if (block + 2 < blocks) parts.push([0xff, 0xd0 + ((block / 2) % 8)]);
  }
  return concat(...parts);
}

function dcCode(difference: number): string {
  const size = difference === 0 ? 0 : Math.floor(Math.log2(Math.abs(difference))) + 1;
  const value = difference < 0 ? difference + 2 ** size - 1 : difference;
  return `${size.toString(2).padStart(4, '0')}${size ? value.toString(2).padStart(size, '0') : ''}0`;
}

function packBits(bits: string): number[] {
  const bytes: number[] = [];
  for (let at = 0; at < bits.length; at += 8) {
    const byte = Number.parseInt(bits.slice(at, at + 8).padEnd(8, '1'), 2);
    bytes.push(...(byte === 0xff ? [0xff, 0] : [byte]));
  }
  return bytes;
}

// EXIF, XMP, ICC

export interface ExifOptions {
  readonly byteOrder?: 'II' | 'MM';
  readonly orientation?: number;
  readonly artist?: string;
  readonly copyright?: string;
  readonly make?: string;
  readonly gps?: boolean;
  readonly makerNote?: Uint8Array;
  /** A JPEG to lie in IFD1. */
  readonly thumbnail?: Uint8Array;
}

interface Entry {
  readonly tag: number;
  readonly type: number;
  readonly count: number;
  readonly value: Uint8Array;
}

/** A TIFF structure as it lies behind `Exif\0\0`. */
export function exifBlock(options: ExifOptions = {}): Uint8Array {
  const little = options.byteOrder === 'II';
  const short = (value: number) => uint16(value, little);
  const long = (value: number) => uint32(value, little);
  const text = (tag: number, value: string | undefined): Entry[] =>
    value === undefined ? [] : [{ tag, type: 2, count: value.length + 1, value: ascii(`${value}\0`) }];
  const number = (tag: number, type: 3 | 4, value: number): Entry => ({
    tag,
    type,
    count: 1,
    value: type === 3 ? short(value) : long(value),
  });
  const rational = (tag: number, ...values: number[]): Entry => ({
    tag,
    type: 5,
    count: values.length,
    value: concat(...values.map((value) => concat(long(Math.round(value * 100)), long(100)))),
  });
  const exifIfd: Entry[] = [
    ...text(0x9003, '2024:05:06 07:08:09'),
    ...(options.makerNote
      ? [{ tag: 0x927c, type: 7, count: options.makerNote.length, value: options.makerNote }]
      : []),
  ];
  const gpsIfd: Entry[] = [
    ...text(1, 'N'),
    rational(2, 48, 51, 29.6),
    ...text(3, 'E'),
    rational(4, 2, 17, 40.2),
  ];

  const mainEntries = (exifAt: number, gpsAt: number): Entry[] =>
    [
      ...text(0x010f, options.make),
      ...(options.orientation === undefined ? [] : [number(0x0112, 3, options.orientation)]),
      ...text(0x013b, options.artist),
      ...text(0x8298, options.copyright),
      number(0x8769, 4, exifAt),
      ...(options.gps ? [number(0x8825, 4, gpsAt)] : []),
    ].sort((one, other) => one.tag - other.tag);

  const mainLength = ifdLength(mainEntries(0, 0));
  const exifAt = 8 + mainLength;
  const gpsAt = exifAt + ifdLength(exifIfd);
  const thumbnailIfdAt = gpsAt + (options.gps ? ifdLength(gpsIfd) : 0);
  const thumbnail = options.thumbnail;
  const thumbnailAt = thumbnailIfdAt + 2 + 3 * 12 + 4;
  return concat(
    ascii(little ? 'II' : 'MM'),
    short(42),
    long(8),
    ifd(mainEntries(exifAt, gpsAt), 8, thumbnail ? thumbnailIfdAt : 0, little),
    ifd(exifIfd, exifAt, 0, little),
    options.gps ? ifd(gpsIfd, gpsAt, 0, little) : [],
    thumbnail
      ? concat(
          ifd(
            [number(0x0103, 3, 6), number(0x0201, 4, thumbnailAt), number(0x0202, 4, thumbnail.length)],
            thumbnailIfdAt,
            0,
            little,
          ),
          thumbnail,
        )
      : [],
  );
}

function ifdLength(entries: readonly Entry[]): number {
  return 2 + entries.length * 12 + 4 + entries.reduce((sum, { value }) => sum + outsideLength(value), 0);
}

function outsideLength(value: Uint8Array): number {
  return value.length > 4 ? value.length + (value.length % 2) : 0;
}

function ifd(entries: readonly Entry[], at: number, next: number, little: boolean): Uint8Array {
  let valueAt = at + 2 + entries.length * 12 + 4;
  const outside: Uint8Array[] = [];
  const rows = entries.map(({ tag, type, count, value }) => {
    const head = concat(uint16(tag, little), uint16(type, little), uint32(count, little));
    if (value.length <= 4) return concat(head, value, new Uint8Array(4 - value.length));
    const row = concat(head, uint32(valueAt, little));
    outside.push(value.length % 2 ? concat(value, [0]) : value);
    valueAt += outsideLength(value);
    return row;
  });
  return concat(uint16(entries.length, little), ...rows, uint32(next, little), ...outside);
}

/** An XMP packet; `gps` places the picture, `orientation` is tiff:Orientation. */
export function xmpPacket(
  options: { orientation?: number; creator?: string; rights?: string; gps?: boolean; extended?: string } = {},
): Uint8Array {
  const attributes = [
    'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmlns:exif="http://ns.adobe.com/exif/1.0/"',
    'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmpRights="http://ns.adobe.com/xap/1.0/rights/"',
    'xmlns:xmpNote="http://ns.adobe.com/xmp/note/" xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"',
    options.orientation === undefined ? '' : `tiff:Orientation="${options.orientation}"`,
    options.gps ? 'exif:GPSLatitude="48,51.49N" exif:GPSLongitude="2,17.67E" photoshop:City="Paris"' : '',
    options.extended ? `xmpNote:HasExtendedXMP="${options.extended}"` : '',
  ].join(' ');
  const body = [
    options.creator ? `<dc:creator><rdf:Seq><rdf:li>${options.creator}</rdf:li></rdf:Seq></dc:creator>` : '',
    options.rights
      ? `<dc:rights><rdf:Alt><rdf:li xml:lang="x-default">${options.rights}</rdf:li></rdf:Alt></dc:rights>`
      : '',
  ].join('');
  return xmpDescription(attributes, body);
}

export function xmpDescription(attributes: string, body = ''): Uint8Array {
  return ascii(
    '<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">' +
      '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">' +
      `<rdf:Description rdf:about="" ${attributes}>${body}</rdf:Description>` +
      '</rdf:RDF></x:xmpmeta><?xpacket end="w"?>',
  );
}

/** A Display P3 profile that colour management accepts, grown to at least `length` bytes. */
export async function iccProfile(length = 0): Promise<Uint8Array> {
  const pixel = sharp({ create: { width: 1, height: 1, channels: 3, background: '#fff' } });
  const { icc } = await sharp(await pixel.png().withIccProfile('p3').toBuffer()).metadata();
  const profile = new Uint8Array(Math.max(length, icc!.length));
  profile.set(icc!);
  profile.set(photoPixels(profile.length - icc!.length, 1, 1, 5), icc!.length);
  profile.set(uint32(profile.length));
  return profile;
}

// PNG

export interface PngOptions {
  readonly width?: number;
  readonly height?: number;
  /** 0 grey, 2 RGB, 3 palette, 4 grey + alpha, 6 RGB + alpha */
  readonly colourType?: 0 | 2 | 3 | 4 | 6;
  readonly bitDepth?: 1 | 2 | 4 | 8 | 16;
  /** Chunks between IHDR (and PLTE) and IDAT. */
  readonly chunks?: readonly Uint8Array[];
  /** Chunks between IDAT and IEND. */
  readonly chunksAfter?: readonly Uint8Array[];
  readonly seed?: number;
  /** Colours in the palette; 2 to the power of the bit depth unless told. */
  readonly colours?: number;
  readonly pixels?: Uint8Array;
  readonly compressionLevel?: number;
}

const SAMPLES = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 } as const;

/** A PNG, badly compressed on purpose so that there is something to gain. */
export function makePng(options: PngOptions = {}): Uint8Array {
  const { width = 64, height = 48, colourType = 2, bitDepth = 8, chunks = [], chunksAfter = [] } = options;
  const colours = options.colours ?? 2 ** bitDepth;
  const palette = colourType === 3 ? [pngChunk('PLTE', photoPixels(colours, 1, 3, options.seed ?? 4))] : [];
  const pixels = options.pixels ?? pngPixels(width, height, colourType, bitDepth, colours, options.seed);
  return concat(
    PNG_SIGNATURE,
    pngHeader(width, height, bitDepth, colourType),
    ...palette,
    ...chunks,
    pngChunk('IDAT', deflateSync(pixels, { level: options.compressionLevel ?? 1 })),
    ...chunksAfter,
    pngChunk('IEND'),
  );
}

export const PNG_SIGNATURE = new Uint8Array([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10]);

export function pngHeader(width: number, height: number, bitDepth: number, colourType: number): Uint8Array {
  return pngChunk('IHDR', concat(uint32(width), uint32(height), [bitDepth, colourType, 0, 0, 0]));
}

/** Rows with their filter byte (0), packed as the bit depth asks. */
function pngPixels(
  width: number,
  height: number,
  colourType: 0 | 2 | 3 | 4 | 6,
  bitDepth: number,
  colours: number,
  seed = 1,
): Uint8Array {
  const samples = SAMPLES[colourType];
  const rowLength = Math.ceil((width * samples * bitDepth) / 8);
  const rows = new Uint8Array(height * (rowLength + 1));
  const random = randomFrom(seed);
  for (let y = 0; y < height; y++) {
    const row = rows.subarray(y * (rowLength + 1) + 1, (y + 1) * (rowLength + 1));
    for (let index = 0; index < width * samples; index++) {
      const shade = (index / (width * samples) + y / height) / 2;
      const value = Math.floor((shade * 0.9 + random() * 0.1) * (colourType === 3 ? colours : 2 ** bitDepth));
      writeSample(row, index, bitDepth, value);
    }
  }
  return rows;
}

function writeSample(row: Uint8Array, index: number, bitDepth: number, value: number): void {
  if (bitDepth === 16) row.set([value >> 8, value & 255], index * 2);
  else row[(index * bitDepth) >> 3]! |= value << (8 - bitDepth - ((index * bitDepth) & 7));
}

export function pngChunk(type: string, payload: Uint8Array = new Uint8Array()): Uint8Array {
  const body = concat(ascii(type), payload);
  return concat(uint32(payload.length), body, uint32(crc32(body)));
}

export const pngText = (keyword: string, text: string) =>
  pngChunk('tEXt', concat(ascii(keyword), [0], ascii(text)));
export const pngXmp = (packet: Uint8Array) =>
  pngChunk('iTXt', concat(ascii('XML:com.adobe.xmp'), [0, 0, 0, 0, 0], packet));
export const pngIcc = (profile: Uint8Array) =>
  pngChunk('iCCP', concat(ascii('icc'), [0, 0], deflateSync(profile)));
export const pngGamma = (gamma = 45455) => pngChunk('gAMA', uint32(gamma));
export const pngChromaticities = () =>
  pngChunk('cHRM', concat(...[31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000].map((v) => uint32(v))));
export const pngExif = (exif: ExifOptions) => pngChunk('eXIf', exifBlock(exif));
/** caBX: the C2PA store. */
export const pngC2pa = () => pngChunk('caBX', c2paSegment().payload.subarray(8));

/** An animated PNG: each frame is another picture, frame 2 only covers a part. */
export function makeApng(frames = 3, width = 40, height = 30): Uint8Array {
  const later: Uint8Array[] = [];
  for (let frame = 1, sequence = 1; frame < frames; frame++) {
    const frameWidth = frame === 2 ? width / 2 : width;
    later.push(frameControl(sequence++, frameWidth, height));
    later.push(frameData(sequence++, frameWidth, height, frame + 1));
  }
  return makePng({
    width,
    height,
    chunks: [animationControl(frames), frameControl(0, width, height)],
    chunksAfter: later,
  });
}

/** One frame, and before it a still picture that only viewers without animations show. */
export function makeApngBehindStill(width = 40, height = 30): Uint8Array {
  return makePng({
    width,
    height,
    chunks: [animationControl(1)],
    chunksAfter: [frameControl(0, width, height), frameData(1, width, height, 2)],
  });
}

const animationControl = (frames: number) => pngChunk('acTL', concat(uint32(frames), uint32(0)));

function frameControl(sequence: number, width: number, height: number): Uint8Array {
  const place = [sequence, width, height, 0, 0].map((value) => uint32(value));
  return pngChunk('fcTL', concat(...place, [0, 10, 0, 100, 0, 0]));
}

function frameData(sequence: number, width: number, height: number, seed: number): Uint8Array {
  const compressed = deflateSync(pngPixels(width, height, 2, 8, 0, seed), { level: 1 });
  return pngChunk('fdAT', concat(uint32(sequence), compressed));
}

// Animations and other containers, by sharp

export async function makeAnimation(format: 'gif' | 'webp', frames = 4, width = 32, height = 24) {
  const pixels = concat(
    ...Array.from({ length: frames }, (_, frame) => photoPixels(width, height, 3, frame + 1)),
  );
  const raw = { width, height: height * frames, channels: 3 as const, pageHeight: height };
  const image = sharp(pixels, { raw });
  const delay = Array.from({ length: frames }, () => 80);
  return bytesOf(
    await (format === 'gif' ? image.gif({ delay, loop: 0 }) : image.webp({ delay, loop: 0 })).toBuffer(),
  );
}

/** The GIF with this application extension before its first picture. */
export function withGifApplication(gif: Uint8Array, name: string, blocks: Uint8Array): Uint8Array {
  const at = 13 + (gif[10]! & 0x80 ? 3 * 2 ** ((gif[10]! & 7) + 1) : 0);
  return concat(gif.subarray(0, at), [0x21, 0xff, 11], ascii(name), blocks, gif.subarray(at));
}

/** The GIF with XMP, as it is and with the trailer that leads to its end. */
export function withGifXmp(gif: Uint8Array, packet: Uint8Array): Uint8Array {
  const countdown = Array.from({ length: 256 }, (_, index) => 255 - index);
  return withGifApplication(gif, 'XMP DataXMP', concat(packet, [1], countdown, [0]));
}

export async function makeWebp(options: { lossless?: boolean; alpha?: boolean } = {}): Promise<Uint8Array> {
  const channels = options.alpha ? 4 : 3;
  const image = sharp(photoPixels(96, 64, channels), { raw: { width: 96, height: 64, channels } });
  return bytesOf(await image.webp({ lossless: options.lossless ?? false, quality: 90 }).toBuffer());
}

/** The plain WebP of 96 × 64 in an extended container, with `flags` in its header whatever chunks there are. */
export function extendedWebp(
  webp: Uint8Array,
  flags: number,
  before: Uint8Array[],
  after: Uint8Array[] = [],
) {
  const header = riffChunk('VP8X', concat([flags, 0, 0, 0], [95, 0, 0], [63, 0, 0]));
  const chunks = concat(header, ...before, webp.subarray(12), ...after);
  return concat(ascii('RIFF'), uint32(chunks.length + 4, true), ascii('WEBP'), chunks);
}

export function riffChunk(type: string, payload: Uint8Array): Uint8Array {
  return concat(ascii(type), uint32(payload.length, true), payload, new Uint8Array(payload.length % 2));
}

export async function makeAvif(
  options: { alpha?: boolean; bitdepth?: 8 | 10 | 12 } = {},
): Promise<Uint8Array> {
  const channels = options.alpha ? 4 : 3;
  const image = sharp(photoPixels(96, 64, channels), { raw: { width: 96, height: 64, channels } });
  return bytesOf(await image.avif({ effort: 0, quality: 60, bitdepth: options.bitdepth ?? 8 }).toBuffer());
}

const ODD_AVIFS = {
  'a second picture': { second: {} },
  'a depth map': {
    second: {
      hidden: true,
      reference: 'auxl',
      property: ['auxC', 'urn:mpeg:mpegB:cicp:systems:auxiliary:depth\0'],
    },
  },
  'a thumbnail': { second: { hidden: true, reference: 'thmb' } },
  'the film of a moving photo': { behind: isoBox('mpvd', new Uint8Array(500).fill(7)) },
  'a trailer in no box': { behind: ascii('SEFHxxxxxxxxxxxxxSEFT') },
  'a part to be shown': { clap: concat(...[50, 1, 40, 1, 0, 1, 0, 1].map((value) => uint32(value))) },
} as const;

/** An AVIF put together by hand, with what libheif does not write. */
export async function makeOddAvif(oddity: keyof typeof ODD_AVIFS): Promise<Uint8Array> {
  const { second, behind, clap }: OddAvif = ODD_AVIFS[oddity];
  const image = readIsoImage(await makeAvif());
  const property = (type: string) => {
    const box = image.primary.properties.find((one) => one.type === type)!;
    return image.bytes.subarray(box.at, box.end);
  };
  const own = [property('ispe'), property('av1C'), property('pixi'), ...(clap ? [isoBox('clap', clap)] : [])];
  const ofSecond = second?.property ? [isoBox(second.property[0], uint32(0), ascii(second.property[1]))] : [];
  const places = own.map((_, index) => index + 1);
  const data = readItemContent(image, image.primary.id)!;
  const items = [
    { id: 1, hidden: false, places },
    ...(second
      ? [{ id: 2, hidden: second.hidden === true, places: [1, 2, 3, ...ofSecond.map(() => own.length + 1)] }]
      : []),
  ];
  const head = (dataAt: number) =>
    concat(
      isoBox('ftyp', ascii('avif'), uint32(0), ascii('avifmif1miaf')),
      isoBox(
        'meta',
        uint32(0),
        isoBox('hdlr', uint32(0), uint32(0), ascii('pict'), new Uint8Array(13)),
        isoBox('pitm', uint32(0), uint16(1)),
        isoBox(
          'iloc',
          [0, 0, 0, 0, 0x44, 0],
          uint16(items.length),
          ...items.map(({ id }) =>
            concat(uint16(id), uint16(0), uint16(1), uint32(dataAt), uint32(data.length)),
          ),
        ),
        isoBox(
          'iinf',
          uint32(0),
          uint16(items.length),
          ...items.map(({ id, hidden }) =>
            isoBox('infe', [2, 0, 0, hidden ? 1 : 0], uint16(id), uint16(0), ascii('av01\0')),
          ),
        ),
        ...(second?.reference
          ? [isoBox('iref', uint32(0), isoBox(second.reference, uint16(2), uint16(1), uint16(1)))]
          : []),
        isoBox(
          'iprp',
          isoBox('ipco', ...own, ...ofSecond),
          isoBox(
            'ipma',
            uint32(0),
            uint32(items.length),
            ...items.map((item) => concat(uint16(item.id), [item.places.length], item.places)),
          ),
        ),
      ),
    );
  return concat(head(head(0).length + 8), isoBox('mdat', data), behind ?? []);
}

interface OddAvif {
  readonly second?: {
    readonly hidden?: boolean;
    readonly reference?: string;
    readonly property?: readonly [string, string];
  };
  readonly behind?: Uint8Array;
  readonly clap?: Uint8Array;
}

function isoBox(type: string, ...contents: readonly (Uint8Array | readonly number[])[]): Uint8Array {
  const content = concat(...contents);
  return concat(uint32(content.length + 8), ascii(type), content);
}

export async function makeTiff(colourspace: 'srgb' | 'cmyk' | 'lab' | 'b-w' = 'srgb'): Promise<Uint8Array> {
  const image = sharp(photoPixels(64, 48), { raw: { width: 64, height: 48, channels: 3 } });
  return bytesOf(await image.toColourspace(colourspace).tiff({ compression: 'lzw' }).toBuffer());
}

/** An entry of more than four bytes, or a pointer at a directory of such. */
export interface TiffTag {
  readonly tag: number;
  readonly type: number;
  readonly value: Uint8Array | readonly TiffTag[];
}

export const tiffText = (tag: number, text: string): TiffTag => ({ tag, type: 2, value: ascii(`${text}\0`) });
export const tiffBytes = (tag: number, value: Uint8Array): TiffTag => ({ tag, type: 7, value });
export const tiffDirectory = (tag: number, value: readonly TiffTag[]): TiffTag => ({ tag, type: 4, value });

/** The little-endian TIFF with these tags besides its own: its first directory moves to the end. */
export function withTiffTags(tiff: Uint8Array, tags: readonly TiffTag[]): Uint8Array {
  let whole = tiff;
  const append = (bytesAt: (at: number) => Uint8Array) => {
    whole = concat(whole, new Uint8Array(whole.length % 2));
    const at = whole.length;
    whole = concat(whole, bytesAt(at));
    return at;
  };
  const rowOf = ({ tag, type, value }: TiffTag) => {
    const isValue = value instanceof Uint8Array;
    const entries = isValue
      ? []
      : value.map((inner) => ({ ...inner, count: (inner.value as Uint8Array).length }));
    const at = append((place) => (isValue ? value : ifd(entries as Entry[], place, 0, true)));
    const count = isValue ? value.length : 1;
    return concat(uint16(tag, true), uint16(type, true), uint32(count, true), uint32(at, true));
  };
  const view = new DataView(tiff.buffer, tiff.byteOffset, tiff.byteLength);
  const from = view.getUint32(4, true) + 2;
  const own = Array.from({ length: view.getUint16(from - 2, true) }, (_, index) =>
    tiff.subarray(from + index * 12, from + (index + 1) * 12),
  );
  const tagOf = (row: Uint8Array) => row[0]! + row[1]! * 256;
  const rows = [...own, ...tags.map(rowOf)].sort((one, other) => tagOf(one) - tagOf(other));
  const at = append(() => concat(uint16(rows.length, true), ...rows, uint32(0)));
  whole.set(uint32(at, true), 4);
  return whole;
}

// Damage

/** The first part of a file, as an interrupted upload leaves it. */
export function truncated(file: Uint8Array, share = 0.6): Uint8Array {
  return file.slice(0, Math.floor(file.length * share));
}

/** Some bits flipped, the same for the same seed; never in the first `from` bytes. */
export function bitRotten(file: Uint8Array, flips = 8, seed = 1, from = 0): Uint8Array {
  const rotten = file.slice();
  const random = randomFrom(seed);
  for (let flip = 0; flip < flips; flip++) {
    const at = from + Math.floor(random() * (file.length - from));
    rotten[at]! ^= 1 << Math.floor(random() * 8);
  }
  return rotten;
}

/** One kind of damage after another by its seed: flipped bits, cut ends, lengths of 0 or 4 GB, copied and lost parts. */
export function mutated(file: Uint8Array, seed: number): Uint8Array {
  const random = randomFrom(seed + 1);
  const place = () => Math.floor(random() * file.length);
  // Most of what a parser can trip over stands in the first bytes.
  const early = () => Math.floor(random() ** 3 * file.length);
  const [from, to] = [place(), place()].sort((one, other) => one - other) as [number, number];
  switch (seed % 6) {
    case 0:
      return bitRotten(file, 1 + Math.floor(random() * 6), seed + 1);
    case 1:
      return file.slice(0, early());
    case 2:
      return concat(
        file.subarray(0, early()),
        uint32(random() < 0.5 ? 0xffffffff : 0),
        file.subarray(early()),
      );
    case 3:
      return concat(file.subarray(0, to), file.subarray(from, to), file.subarray(to));
    case 4:
      return concat(file.subarray(0, from), file.subarray(to));
    default: {
      const at = early();
      const value = [0, 1, 0x7f, 0x80, 0xff][Math.floor(random() * 5)]!;
      return file.map((byte, index) => (index >= at && index < at + 4 ? value : byte));
    }
  }
}

// Bytes

export function ascii(text: string): Uint8Array {
  return bytesOf(Buffer.from(text, 'latin1'));
}

export function uint16(value: number, littleEndian = false): Uint8Array {
  const bytes = new Uint8Array(2);
  new DataView(bytes.buffer).setUint16(0, value, littleEndian);
  return bytes;
}

export function uint32(value: number, littleEndian = false): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, littleEndian);
  return bytes;
}

export function concat(...parts: readonly (Uint8Array | readonly number[])[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function bytesOf(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer);
}
