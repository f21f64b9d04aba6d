import type { TargetedSubmitEvent } from 'preact';

import type { Call, CallChange } from '../../client/answers';
import { service } from '../service/session';
import { CallFields, readFields, type FieldTexts } from '../add/call-fields';
import { useAct } from '../parts/act';
import { Dialog } from '../parts/dialog';
import { Trouble } from '../parts/notices';

interface EditDialogProps {
  call: Call;
  onClose: () => void;
  onDone: () => void;
}

/** Changes a call that waits. */
export function EditDialog({ call, onClose, onDone }: EditDialogProps) {
  const act = useAct();
  const before = textsOf(call);
  const save = async (event: TargetedSubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = event.currentTarget;
    const saved = await act.run(async () => {
      const change = changeOf(before, readFields(form));
      if (Object.keys(change).length > 0) await service.value.update(call.id, change);
    }, 'The call is changed.');
    if (saved) onClose();
    onDone();
  };
  return (
    <Dialog title={`Edit the call to ${call.payload.to}`} onClose={onClose}>
      <form onSubmit={(event) => void save(event)} noValidate>
        <CallFields texts={before} error={act.error.value} />
        <Trouble error={act.error.value} />
        <div class="buttons">
          <button type="button" onClick={onClose}>
            Go back
          </button>
          <button type="submit" class="primary" disabled={act.isBusy.value}>
            Save
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function textsOf({ payload, expiresAt, webhookUrl }: Call): FieldTexts {
  return {
    to: payload.to,
    scriptId: payload.scriptId,
    expiresAt: localTime(expiresAt),
    webhookUrl: webhookUrl ?? '',
    metadata: Object.keys(payload.metadata).length === 0 ? '' : JSON.stringify(payload.metadata, undefined, 2),
  };
}

/** As an input of a local time has it. */
function localTime(iso: string): string {
  const at = new Date(iso);
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** What was touched alone: the rest may have been changed by somebody else meanwhile. */
function changeOf(before: FieldTexts, { texts, request }: ReturnType<typeof readFields>): CallChange {
  const change: CallChange = {};
  if (texts.to !== before.to) change.to = request.to;
  if (texts.scriptId !== before.scriptId) change.scriptId = request.scriptId;
  if (texts.metadata !== before.metadata) change.metadata = request.metadata ?? {};
  if (texts.webhookUrl !== before.webhookUrl) change.webhookUrl = request.webhookUrl ?? null;
  if (texts.expiresAt !== before.expiresAt && request.expiresAt !== undefined) change.expiresAt = request.expiresAt;
  return change;
}
