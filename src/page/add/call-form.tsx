import { useSignal } from '@preact/signals';
import type { TargetedSubmitEvent } from 'preact';

import { priorities } from '../../call/call';
import type { Call } from '../../client/answers';
import { CallsApiError } from '../../client/errors';
import { newIdempotencyKey } from '../../client/idempotency-key';
import { hrefs } from '../service/route';
import { service } from '../service/session';
import { useAct } from '../parts/act';
import { Field } from '../parts/fields';
import { Trouble } from '../parts/notices';
import { CallFields, noTexts, readFields } from './call-fields';

const levels = Array.from(
  { length: priorities.latest - priorities.soonest + 1 },
  (_, index) => priorities.soonest + index,
);

/** Adds one call. */
export function CallForm() {
  const act = useAct();
  const added = useSignal<Call | undefined>(undefined);
  // Sent again after an answer that was lost, it makes no second call.
  const key = useSignal(newIdempotencyKey());
  const add = async (event: TargetedSubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = event.currentTarget;
    added.value = undefined;
    await act.run(async () => {
      const { request } = readFields(form);
      added.value = await service.value.create(request, { idempotencyKey: key.value });
      key.value = newIdempotencyKey();
      form.reset();
    }, 'The call is accepted.');
    if (act.error.value instanceof CallsApiError) key.value = newIdempotencyKey();
  };
  return (
    <form class="call-form" onSubmit={(event) => void add(event)} noValidate>
      <CallFields texts={noTexts} error={act.error.value}>
        <Field name="Priority" hint="1 is served first">
          {(attributes) => (
            <select {...attributes} name="priority">
              {levels.map((level) => (
                <option key={level} value={level} selected={level === priorities.usual}>
                  {level === priorities.usual ? `${level}, as usual` : level}
                </option>
              ))}
            </select>
          )}
        </Field>
      </CallFields>
      <Trouble error={act.error.value}>
        <Busy error={act.error.value} />
      </Trouble>
      {added.value && (
        <p class="notice notice-good">
          Accepted: <a href={hrefs.call(added.value.id)}>the call to {added.value.payload.to}</a>
        </p>
      )}
      <div class="buttons">
        <button type="submit" class="primary" disabled={act.isBusy.value}>
          Add call
        </button>
      </div>
    </form>
  );
}

/** Leads to the call that the number is busy with. */
function Busy({ error }: { error: unknown }) {
  const id = error instanceof CallsApiError ? error.problem?.activeCallId : undefined;
  return id === undefined ? null : <a href={hrefs.call(id)}>See that call</a>;
}
