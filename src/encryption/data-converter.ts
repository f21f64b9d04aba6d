import type { DataConverter } from '@temporalio/common';

import type { Config } from '../config';
import { EncryptionCodec } from './payload-codec';

/**
 * How whatever talks to Temporal writes and reads. The codec is there without keys too: it then writes as it is, and says
 * plainly of an encrypted payload that its key is missing.
 */
export function dataConverterOf({ PAYLOAD_KEYS: keys = [] }: Pick<Config, 'PAYLOAD_KEYS'>): DataConverter {
  return {
    payloadCodecs: [new EncryptionCodec(keys)],
    ...(keys.length > 0 && { failureConverterPath: require.resolve('./failure-converter') }),
  };
}
