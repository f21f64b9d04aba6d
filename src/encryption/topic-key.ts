import { createHmac, hkdfSync } from 'node:crypto';

import type { Config } from '../config';

export type KeySettings = Pick<Config, 'PERSONAL_DATA_IN_KEYS' | 'PAYLOAD_KEYS'>;

type TopicKey = Buffer | string | null;

/**
 * What stands in for a key that a client chose, such as a number, where it goes to a topic of ours: with
 * PERSONAL_DATA_IN_KEYS=withheld its keyed hash, the same for the same key until PAYLOAD_KEYS begins with another. A plain
 * hash would not do: all the phone numbers there are can be tried in an hour.
 */
export function topicKeyOf(settings: Partial<KeySettings>): (key: TopicKey) => TopicKey {
  const [first] = settings.PAYLOAD_KEYS ?? [];
  if (settings.PERSONAL_DATA_IN_KEYS !== 'withheld' || first === undefined) return (key) => key;
  const secret = Buffer.from(hkdfSync('sha256', first.key, '', 'call-orchestrator topic key', 32));
  return (key) => key && createHmac('sha256', secret).update(key).digest('base64url');
}
