import { useSignal, type Signal } from '@preact/signals';

import { noteRefusal } from '../service/session';
import { tell } from './notices';
import { explain } from './words';

export interface Act {
  isBusy: Signal<boolean>;
  error: Signal<unknown>;
  /** @returns whether it was done; what went wrong is in `error` */
  run: (work: () => Promise<unknown>, done?: string) => Promise<boolean>;
}

/** Something a person does: once at a time, and told what became of it. */
export function useAct(): Act {
  const isBusy = useSignal(false);
  const error = useSignal<unknown>(undefined);
  return {
    isBusy,
    error,
    run: async (work, done) => {
      if (isBusy.peek()) return false;
      isBusy.value = true;
      error.value = undefined;
      try {
        await work();
        if (done !== undefined) tell(done);
        return true;
      } catch (problem) {
        noteRefusal(problem);
        error.value = problem;
        tell(explain(problem), { isBad: true });
        return false;
      } finally {
        isBusy.value = false;
      }
    },
  };
}
