import { describe, expect, it, test } from 'vitest';
import {
  buildXmp,
  readXmpCredits,
  readXmpOrientation,
  withCredits,
  withXmpOrientation,
} from '../../../src/codec/metadata/xmp.ts';
import { withinCpuSecond } from '../../support/cpu-limit.ts';
import { ascii } from '../../support/fixtures/bytes.ts';
import { mutated } from '../../support/fixtures/damage.ts';
import { xmpDescription, xmpPacket } from '../../support/fixtures/metadata.ts';

const utf8 = (text: string) => new Uint8Array(Buffer.from(text, 'utf8'));

describe('tiff:Orientation in XMP (R02)', () => {
  test.each([
    ['an attribute', 'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"', ''],
    ['an attribute in single quotes', "xmlns:tiff='http://ns.adobe.com/tiff/1.0/' tiff:Orientation='6'", ''],
    ['an element', 'xmlns:tiff="http://ns.adobe.com/tiff/1.0/"', '<tiff:Orientation>6</tiff:Orientation>'],
    ['another prefix', 'xmlns:t="http://ns.adobe.com/tiff/1.0/" t:Orientation="6"', ''],
  ])('is changed in %s, and no other byte', (_, attributes, body) => {
    const packet = xmpDescription(attributes, body);
    expect(readXmpOrientation(packet)).toBe(6);
    const upright = withXmpOrientation(packet, 1);
    expect(readXmpOrientation(upright)).toBe(1);
    expect(upright.length).toBe(packet.length);
    expect(withXmpOrientation(upright, 6)).toEqual(packet);
  });

  it('is not added where there was none', () => {
    const packet = xmpPacket({ creator: 'Ann' });
    expect(withXmpOrientation(packet, 6)).toBe(packet);
  });
});

describe('credits in XMP', () => {
  it('are read from lists, elements and attributes', () => {
    const attributes =
      'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmpRights="http://ns.adobe.com/xap/1.0/rights/" xmpRights:Marked="True" xmpRights:WebStatement="https://a.example/?a=1&amp;b=2"';
    const body =
      '<dc:creator><rdf:Seq><rdf:li>Ann</rdf:li><rdf:li>Bob</rdf:li></rdf:Seq></dc:creator>' +
      '<dc:rights><rdf:Alt><rdf:li xml:lang="x-default">&#169; Ann &lt;all&gt;</rdf:li></rdf:Alt></dc:rights>';
    expect(readXmpCredits(xmpDescription(attributes, body))).toEqual({
      creators: ['Ann', 'Bob'],
      rights: '© Ann <all>',
      terms: [
        ['WebStatement', 'https://a.example/?a=1&b=2'],
        ['Marked', 'True'],
      ],
    });
  });

  it('come out of a new packet as they went in, and nothing with them', () => {
    const source = utf8(
      Buffer.from(xmpPacket({ creator: 'Zoë "&amp;" Ann', rights: 'hers', gps: true, orientation: 6 })).toString(
        'latin1',
      ),
    );
    const credits = readXmpCredits(source);
    const packet = buildXmp(credits)!;
    expect(readXmpCredits(packet)).toEqual(credits);
    expect(credits.creators).toEqual(['Zoë "&" Ann']);
    const text = Buffer.from(packet).toString();
    for (const secret of ['GPS', 'Paris', 'Orientation']) expect(text.includes(secret)).toBe(false);
  });

  it('are added to a packet that lacks them, and leave every other byte of it alone', () => {
    const packet = xmpPacket({ orientation: 6, gps: true, creator: 'Ann' });
    const more = withCredits(packet, { creators: ['Bob'], rights: '© Zoë' })!;
    expect(readXmpCredits(more)).toMatchObject({ creators: ['Ann'], rights: '© Zoë' });
    const [before, after] = [packet, more].map((bytes) => Buffer.from(bytes).toString('utf8'));
    expect(after!.replace(/<rdf:Description rdf:about="" xmlns:dc.*?<\/rdf:Description>(?=<\/rdf:RDF>)/, '')).toBe(
      before,
    );
  });

  it.each([
    ['it has them', xmpPacket({ creator: 'Ann', rights: 'hers' })],
    ['it has them in a form that is not read', xmpDescription('', '<dc:creator/><dc:rights><a/></dc:rights>')],
    ['it is no RDF', ascii('<x:xmpmeta/>')],
    ['it is too long to be read', ascii(`${' '.repeat(2_000_001)}</rdf:RDF>`)],
  ])('leave a packet as it is when %s', (_, packet) => {
    expect(withCredits(packet, { creators: ['Bob'], rights: 'his' })).toBe(packet);
  });

  it('make no packet when there are none', () => {
    expect(buildXmp(readXmpCredits(xmpPacket({ gps: true })))).toBeUndefined();
  });

  it('come without control characters and empty values, which no reader takes', () => {
    const packet = buildXmp({ creators: ['Ann\0', ' Zoë\u0007 ', '\0'], rights: 'a\u001bb', terms: [] })!;
    expect(Buffer.from(packet).toString('utf8')).not.toMatch(/\p{Cc}/u);
    expect(readXmpCredits(packet)).toMatchObject({ creators: ['Ann', 'Zoë'], rights: 'ab' });
    expect(buildXmp({ creators: [''], rights: ' ', terms: [['Owner', '']] })).toBeUndefined();
  });

  it('cannot smuggle markup', () => {
    const packet = xmpPacket({ creator: 'a<exif:GPSLatitude>48</exif:GPSLatitude>b' });
    expect(Buffer.from(buildXmp(readXmpCredits(packet)) ?? []).includes('GPS')).toBe(false);
  });
});

describe('hostile XMP', () => {
  it('never makes a reader throw', () => {
    const packet = xmpPacket({ orientation: 6, creator: 'Ann', rights: 'hers', gps: true });
    for (let round = 0; round < 300; round++) {
      const damaged = mutated(packet, round);
      buildXmp(readXmpCredits(damaged));
      withXmpOrientation(damaged, 1);
    }
  });

  test.each([
    '<dc:creator ',
    ' dc:rights="',
    '<rdf:li',
    'xmlns:tiff="',
    'tiff:Orientation=    ',
    '&#1;',
    '<rdf:RDF',
  ])('is read in linear time: a megabyte of %j', (piece) => {
    const packet = ascii(piece.repeat(1_000_000 / piece.length));
    withinCpuSecond(() => {
      readXmpCredits(packet);
      withXmpOrientation(packet, 1);
    });
  });
});
