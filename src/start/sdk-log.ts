import { DefaultLogger } from '@temporalio/worker';

import type { Logger } from '../log';

/**
 * The SDK's lines in our log: its warnings and errors, an error with its causes; and what workflows themselves tell. The
 * rest of its information is of no use to an operator.
 */
export function sdkLog(log: Logger): DefaultLogger {
  return new DefaultLogger('INFO', ({ level, message, meta = {} }) => {
    const { error, sdkComponent, ...details } = meta as Record<string, unknown>;
    const ofWorkflow = sdkComponent === 'workflow';
    if (level === 'INFO' && !ofWorkflow) return;
    const line = level === 'ERROR' ? 'error' : level === 'WARN' ? 'warn' : 'info';
    log[line]({ ...(error !== undefined && { err: error }), ...(ofWorkflow ? details : { sdk: details }) }, message);
  });
}
