import { useSignal } from '@preact/signals';
import type { TargetedSubmitEvent } from 'preact';

import type { Control } from '../../client/answers';
import { useFollowed } from '../service/followed';
import { service } from '../service/session';
import { useAct } from '../parts/act';
import { Dialog } from '../parts/dialog';
import { Field } from '../parts/fields';
import { Trouble } from '../parts/notices';
import { Ago } from '../parts/time';

interface Switch extends Control {
  look: () => void;
}

/** Whether dialling is paused; undefined until that is known. */
export function useControl(): Switch | undefined {
  const { value, look } = useFollowed(
    {
      load: (signal) => service.value.control({ signal }),
      concerns: () => false,
      gapMilliseconds: 500,
      everyMilliseconds: 5_000,
    },
    [],
  );
  return value && { pause: value.pause, look };
}

/** Pauses after asking, since it keeps everybody from being called. */
export function PauseSwitch({ control }: { control: Switch }) {
  const isAsking = useSignal(false);
  const act = useAct();
  const close = () => {
    isAsking.value = false;
    act.error.value = undefined;
  };
  const pause = async (event: TargetedSubmitEvent<HTMLFormElement>) => {
    event.preventDefault();
    const text = new FormData(event.currentTarget).get('reason');
    const reason = typeof text === 'string' && text.trim() !== '' ? text.trim() : undefined;
    if (await act.run(() => service.value.pause(reason), 'Dialling is paused.')) close();
    control.look();
  };
  if (control.pause) return null;
  return (
    <>
      <button type="button" onClick={() => (isAsking.value = true)}>
        Pause dialling
      </button>
      {isAsking.value && (
        <Dialog title="Pause dialling?" onClose={close}>
          <p>Nothing new is dialled until you resume. Calls on the line go on, and whoever waits keeps their place.</p>
          <form onSubmit={(event) => void pause(event)}>
            <Field name="Reason (optional)" hint="For the others who look here">
              {(attributes) => <input {...attributes} name="reason" maxLength={200} autocomplete="off" />}
            </Field>
            <Trouble error={act.error.value} />
            <div class="buttons">
              <button type="button" onClick={close}>
                Go back
              </button>
              <button type="submit" class="danger" disabled={act.isBusy.value}>
                Pause dialling
              </button>
            </div>
          </form>
        </Dialog>
      )}
    </>
  );
}

export function PauseBanner({ control }: { control: Switch }) {
  const act = useAct();
  const { pause } = control;
  if (!pause) return null;
  const resume = async () => {
    await act.run(() => service.value.resume(), 'Dialling goes on.');
    control.look();
  };
  return (
    <section class="banner" aria-label="Dialling is paused">
      <p>
        <strong>Dialling is paused</strong> since <Ago at={pause.since} />
        {pause.reason !== null && `: ${pause.reason}`}. Calls on the line go on.
      </p>
      <button type="button" class="primary" disabled={act.isBusy.value} onClick={() => void resume()}>
        Resume dialling
      </button>
    </section>
  );
}
