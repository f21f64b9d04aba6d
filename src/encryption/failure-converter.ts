import { DefaultFailureConverter } from '@temporalio/common';

/**
 * Puts the messages and stacks of failures, which the provider's own words may be in, into a payload, where the codec
 * encrypts them. For use with keys only: without, it would merely make failures harder to read. Workflows have it by a
 * bundle of their own (`infra/bundle-workflows.ts`), since what is in a bundle cannot depend on a setting.
 */
export const failureConverter = new DefaultFailureConverter({ encodeCommonAttributes: true });
