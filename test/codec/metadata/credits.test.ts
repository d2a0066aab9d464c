import { beforeAll, describe, expect, test } from 'vitest';
import { applyMetadata } from '../../../src/codec/apply-metadata.ts';
import { sameBytes } from '../../../src/codec/bytes.ts';
import { ImageFile } from '../../../src/codec/image-file.ts';
import { inspectImage, readMetadata } from '../../../src/codec/inspect-image.ts';
import { recompressJpeg } from '../../../src/codec/jpeg/recompress.ts';
import { readIptc } from '../../../src/codec/metadata/iptc.ts';
import type { MetadataPolicy } from '../../../src/codec/metadata/model.ts';
import { buildXmp, readXmpCredits } from '../../../src/codec/metadata/xmp.ts';
import { recompressPng } from '../../../src/codec/png/recompress.ts';
import type { ImageFormat } from '../../../src/core/image-result.ts';
import { ascii, concat } from '../../support/fixtures/bytes.ts';
import { makeAnimation, makeWebp, withGifXmp } from '../../support/fixtures/gif-and-webp.ts';
import {
  iptcSegment,
  makeJpeg,
  photoshopResource,
  photoshopSegment,
  withSegments,
  xmpSegment,
} from '../../support/fixtures/jpeg.ts';
import { xmpDescription, xmpPacket } from '../../support/fixtures/metadata.ts';
import { makePng, pngText, pngXmp } from '../../support/fixtures/png.ts';
import { makeTiff, tiffBytes, tiffDirectory, tiffText, withTiffTags } from '../../support/fixtures/tiff.ts';

/** Who made a picture and whose it is, out of every place where it may be written, comes along with the picture. */

let webp: Uint8Array;
let jpeg: Uint8Array;

beforeAll(async () => {
  webp = await makeWebp();
  jpeg = await makeJpeg();
});

/** What a WebP made of this source says about them. */
function creditsInWebp(format: ImageFormat, bytes: Uint8Array, policy: MetadataPolicy = 'copyright') {
  const output = applyMetadata({ format, file: new ImageFile(bytes) }, new ImageFile(webp), 'webp', policy, {
    orientation: 1,
  });
  return readXmpCredits(readMetadata({ format: 'webp', file: new ImageFile(output) }).xmp ?? new Uint8Array());
}

test.each([
  ['Latin-1, as PNG wants it', ascii('\xa9 2024 M\xfcller')],
  ['UTF-8, as many write it', new Uint8Array(Buffer.from('© 2024 Müller', 'utf8'))],
])('the text of a PNG is read as %s', (_, value) => {
  const source = makePng({ chunks: [pngText('Copyright', Buffer.from(value).toString('latin1'))] });
  expect(creditsInWebp('png', source)).toMatchObject({ rights: '© 2024 Müller' });
});

test.each(['Author', 'author', 'Artist'])('a PNG may name its creator as %s', async (keyword) => {
  const source = makePng({ chunks: [pngText(keyword, 'Ann'), pngText('copyright', '(c) Ann')] });
  expect(creditsInWebp('png', source)).toMatchObject({ creators: ['Ann'], rights: '(c) Ann' });
  const copy = Buffer.from(await recompressPng(new ImageFile(source), 'copyright')).toString('latin1');
  expect(copy).toContain(`${keyword}\0Ann`);
});

test.each(['keep', 'copyright'] as const)('the texts of a PNG say what its XMP does not, under %s', (policy) => {
  const texts = [pngText('Author', 'Ann'), pngText('Copyright', '(c) Ann')];
  const credits = (packet: Uint8Array) => creditsInWebp('png', makePng({ chunks: [pngXmp(packet), ...texts] }), policy);
  expect(credits(xmpPacket({ orientation: 1 }))).toMatchObject({ creators: ['Ann'], rights: '(c) Ann' });
  expect(credits(xmpPacket({ creator: 'Bob' }))).toMatchObject({ creators: ['Bob'], rights: '(c) Ann' });
  expect(credits(xmpPacket({ rights: 'his' }))).toMatchObject({ creators: ['Ann'] });
});

test.each(['keep', 'copyright'] as const)('IPTC says what the XMP of a JPEG does not, under %s', async (policy) => {
  const iptc = iptcSegment({ byline: 'Ann', copyright: '(c) Ann', city: 'Paris' });
  const jpeg = await makeJpeg();
  const credits = (packet: Uint8Array) => creditsInWebp('jpeg', withSegments(jpeg, [xmpSegment(packet), iptc]), policy);
  expect(credits(xmpPacket({ orientation: 1 }))).toMatchObject({ creators: ['Ann'], rights: '(c) Ann' });
  expect(credits(xmpPacket({ creator: 'Bob' }))).toMatchObject({ creators: ['Bob'], rights: '(c) Ann' });
});

test('what came of two places comes out of a second copy as it went in', async () => {
  const source = withSegments(await makeJpeg(), [
    xmpSegment(xmpPacket({ creator: 'Bob' })),
    iptcSegment({ copyright: '(c) Ann' }),
  ]);
  const copyOf = (format: ImageFormat, bytes: Uint8Array) =>
    applyMetadata({ format, file: new ImageFile(bytes) }, new ImageFile(webp), 'webp', 'copyright', { orientation: 1 });
  const first = copyOf('jpeg', source);
  expect(sameBytes(copyOf('webp', first), first)).toBe(true);
});

test('IPTC is found in the second APP13, and where a resource is cut in two', async () => {
  const iptc = iptcSegment({ byline: 'Ann', copyright: '(c) Ann' });
  const second = withSegments(await makeJpeg(), [photoshopSegment(photoshopResource(0x03ed)), iptc]);
  expect(creditsInWebp('jpeg', second)).toMatchObject({ creators: ['Ann'], rights: '(c) Ann' });
  const resources = iptc.payload.subarray(14);
  const cut = [resources.subarray(0, 20), resources.subarray(20)].map(photoshopSegment);
  const halves = withSegments(await makeJpeg(), cut);
  expect(creditsInWebp('jpeg', halves)).toMatchObject({ creators: ['Ann'], rights: '(c) Ann' });
});

test.each(['MeSa', 'AgHg', 'PHUT', 'DCSR'])('IPTC is found behind a resource of %s', async (signature) => {
  const iptc = iptcSegment({ byline: 'Ann', copyright: '(c) Ann' }).payload.subarray(14);
  const resources = concat(photoshopResource(0x0404, new Uint8Array(15), signature), iptc);
  const source = withSegments(await makeJpeg(), [photoshopSegment(resources)]);
  expect(creditsInWebp('jpeg', source)).toMatchObject({ creators: ['Ann'], rights: '(c) Ann' });
});

describe('a TIFF', () => {
  const iptc = readIptc(iptcSegment({ byline: 'Ann', copyright: '(c) Ann', city: 'Paris' }).payload)!;
  const taken = tiffText(0x9003, '2024:05:06 07:08:09');
  const place = tiffDirectory(34853, [tiffText(29, '2024:05:07')]);
  let source: Uint8Array;

  beforeAll(async () => {
    source = withTiffTags(await makeTiff(), [
      tiffText(270, 'a view of Paris'),
      tiffText(315, 'Ann Artist'),
      tiffBytes(33723, iptc),
      tiffDirectory(34665, [taken, tiffBytes(37500, ascii('a maker note of no use elsewhere'))]),
      place,
    ]);
  });

  const intoJpeg = (policy: MetadataPolicy, bytes = source) =>
    applyMetadata({ format: 'tiff', file: new ImageFile(bytes) }, new ImageFile(jpeg), 'jpeg', policy, {
      orientation: 1,
    });

  test('hands EXIF and IPTC on under keep, as far as they mean something elsewhere', () => {
    const { exif, photoshop } = readMetadata({ format: 'jpeg', file: new ImageFile(intoJpeg('keep')) });
    const text = Buffer.from(exif!).toString('latin1');
    for (const kept of ['a view of Paris', 'Ann Artist', '2024:05:06', '2024:05:07']) expect(text).toContain(kept);
    expect(text).not.toContain('maker note');
    expect(sameBytes(readIptc(photoshop!)!, iptc)).toBe(true);
    expect(creditsInWebp('tiff', source, 'keep')).toMatchObject({ creators: ['Ann'], rights: '(c) Ann' });
  });

  test('hands its credits on under copyright, and nothing else', () => {
    const output = intoJpeg('copyright');
    const text = Buffer.from(output).toString('latin1');
    for (const credit of ['Ann Artist', '(c) Ann']) expect(text).toContain(credit);
    for (const secret of ['Paris', '2024:']) expect(text).not.toContain(secret);
    expect(creditsInWebp('tiff', source)).toMatchObject({ creators: ['Ann'], rights: '(c) Ann' });
  });

  test('hands on IPTC that lies in its Photoshop resources only', async () => {
    const bytes = withTiffTags(await makeTiff(), [tiffBytes(34377, photoshopResource(0x0404, iptc))]);
    expect(creditsInWebp('tiff', bytes)).toMatchObject({ creators: ['Ann'], rights: '(c) Ann' });
  });

  test('whose entries are larger than any EXIF hands on its credits alone', async () => {
    const large = [tiffText(315, 'Ann Artist'), tiffText(270, 'x'.repeat(1_000_001))];
    const text = Buffer.from(intoJpeg('keep', withTiffTags(await makeTiff(), large))).toString('latin1');
    expect(text).toContain('Ann Artist');
    expect(text).not.toContain('xxx');
  });
});

test.each(['keep', 'copyright'] as const)('the XMP of a GIF comes along under %s', async (policy) => {
  const packet = xmpPacket({ creator: 'Ann', rights: '(c) Ann', gps: true });
  const source = withGifXmp(await makeAnimation('gif'), packet);
  expect(inspectImage(new ImageFile(source))).toMatchObject({ pages: 4, trailingBytes: 0 });
  expect(creditsInWebp('gif', source, policy)).toMatchObject({ creators: ['Ann'], rights: '(c) Ann' });
});

test('copyright keeps the credit line, the licensor and the label of AI, and writes the same packet of its own', async () => {
  const names = [
    'xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" xmlns:plus="http://ns.useplus.org/ldf/xmp/1.0/"',
    'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" photoshop:Credit="Ann / Agency" photoshop:City="Paris"',
    'Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"',
  ].join(' ');
  const licensor =
    '<plus:Licensor><rdf:Seq><rdf:li rdf:parseType="Resource"><plus:LicensorURL>https://ann.example/buy</plus:LicensorURL></rdf:li></rdf:Seq></plus:Licensor>';
  const packet = xmpDescription(names, licensor);
  const built = buildXmp(readXmpCredits(packet))!;
  const text = Buffer.from(built).toString();
  expect(text).toContain('<photoshop:Credit>Ann / Agency</photoshop:Credit>');
  expect(text).toContain('<plus:LicensorURL>https://ann.example/buy</plus:LicensorURL>');
  expect(text).toContain('trainedAlgorithmicMedia</Iptc4xmpExt:DigitalSourceType>');
  expect(text).not.toContain('Paris');
  expect(Buffer.from(buildXmp(readXmpCredits(built))!).toString()).toBe(text);
});

test('caption, keywords and credit line of IPTC go to the XMP of a format without IPTC, under keep', async () => {
  const dataset = (id: number, text: string) => concat([0x1c, 2, id, 0, text.length], ascii(text));
  const iptc = concat(dataset(25, 'tower'), dataset(25, 'evening'), dataset(110, 'Agency'), dataset(120, 'A tower'));
  const source = withSegments(jpeg, [photoshopSegment(photoshopResource(0x0404, iptc))]);
  const inWebp = (policy: MetadataPolicy) => {
    const from = { format: 'jpeg', file: new ImageFile(source) } as const;
    const output = applyMetadata(from, new ImageFile(webp), 'webp', policy, { orientation: 1 });
    return Buffer.from(output).toString('latin1');
  };
  expect(inWebp('keep')).toMatch(/<dc:description>.*A tower.*<dc:subject>.*tower.*evening.*Agency/s);
  expect(inWebp('copyright')).toMatch(/Agency/);
  expect(inWebp('copyright')).not.toMatch(/tower/);
});

test('the rights of every IPTC block count', async () => {
  const rights = (text: string) => photoshopResource(0x0404, concat([0x1c, 2, 116, 0, text.length], ascii(text)));
  const source = withSegments(jpeg, [photoshopSegment(concat(rights('hers'), rights('also his')))]);
  const output = await recompressJpeg(new ImageFile(source), 'copyright');
  expect(Buffer.from(output).toString('latin1')).toMatch(/hers.*also his/s);
});
