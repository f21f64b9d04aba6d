import { useSignal } from '@preact/signals';

import { retryableStatuses } from '../../call/transitions';
import type { Call, CallStatus } from '../../client/answers';
import { service } from '../service/session';
import { useAct } from '../parts/act';
import { Ask } from '../parts/ask';
import { isFinal } from '../parts/words';
import { EditDialog } from './edit-dialog';

interface ActionsProps {
  call: Call;
  onDone: () => void;
}

const mayRetry = (status: CallStatus) => (retryableStatuses as readonly CallStatus[]).includes(status);

/** What can be done to the call as it is now. */
export function Actions({ call, onDone }: ActionsProps) {
  const open = useSignal<'cancel' | 'edit' | undefined>(undefined);
  const act = useAct();
  const close = () => {
    open.value = undefined;
    act.error.value = undefined;
  };
  const cancel = async () => {
    if (await act.run(() => service.value.cancel(call.id), 'The call is canceled.')) close();
    onDone();
  };
  const retry = async () => {
    await act.run(() => service.value.retry(call.id), 'The call starts again.');
    onDone();
  };
  return (
    <div class="buttons">
      {call.status === 'PENDING' && (
        <button type="button" onClick={() => (open.value = 'edit')}>
          Edit
        </button>
      )}
      {mayRetry(call.status) && call.forgottenAt === null && (
        <button type="button" disabled={act.isBusy.value} onClick={() => void retry()}>
          Retry
        </button>
      )}
      {!isFinal(call.status) && (
        <button type="button" class="danger" onClick={() => (open.value = 'cancel')}>
          Cancel call
        </button>
      )}
      {open.value === 'cancel' && (
        <Ask title="Cancel this call?" yes="Cancel the call" act={act} onYes={() => void cancel()} onClose={close}>
          <p>
            {call.status === 'IN_PROGRESS'
              ? `${call.payload.to} is on the line and will be hung up.`
              : `${call.payload.to} will not be called.`}{' '}
            It can be retried later.
          </p>
        </Ask>
      )}
      {open.value === 'edit' && <EditDialog call={call} onClose={close} onDone={onDone} />}
    </div>
  );
}
