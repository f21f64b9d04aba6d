import { condition, defineSignal, proxyActivities, setHandler } from '@temporalio/workflow';

/** A workflow of the shape of a call's, which touches no store: it waits for its turn, acts, and waits for the report. */
export const granted = defineSignal('granted');
export const reported = defineSignal('reported');

export interface BareActivities {
  act: () => Promise<void>;
}

const { act } = proxyActivities<BareActivities>({ startToCloseTimeout: '60s' });

export async function bareCall(): Promise<void> {
  const told = { granted: false, reported: false };
  setHandler(granted, () => {
    told.granted = true;
  });
  setHandler(reported, () => {
    told.reported = true;
  });
  await condition(() => told.granted);
  await act();
  await condition(() => told.reported);
}
