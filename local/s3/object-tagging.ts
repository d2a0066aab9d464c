import { type Call, sendEmpty, sendXml } from './call.ts';
import { existingObject } from './get-object.ts';
import { checkedTags } from './object-headers.ts';
import { readDocument } from './receive-body.ts';
import { element, elementsOf, textOf } from './xml.ts';

export function getObjectTagging(call: Call): void {
  const tags = new URLSearchParams(
    existingObject(call.bucket, call.key, call.query.get('versionId')).record.tags ?? '',
  );
  const set = [...tags].map(([key, value]) => `<Tag>${element('Key', key)}${element('Value', value)}</Tag>`);
  sendXml(call.response, 'Tagging', `<TagSet>${set.join('')}</TagSet>`);
}

export async function putObjectTagging(call: Call): Promise<void> {
  const xml = await readDocument(call, 'Tagging');
  const tags = elementsOf(xml, 'Tag').map((tag) => [textOf(tag, 'Key') ?? '', textOf(tag, 'Value') ?? ''] as const);
  const { record } = existingObject(call.bucket, call.key);
  call.bucket.filesOf(call.key).setTags(record, checkedTags(tags));
  sendEmpty(call.response, 200);
}
