import type { ComponentChildren } from 'preact';

import type { Call } from '../../client/answers';
import { Ago, Moment } from '../parts/time';
import { isFinal, plain } from '../parts/words';

/** The call's fields, in words. */
export function Facts({ call }: { call: Call }) {
  const { payload, lastError, nextAttemptAt, startedAt, endedAt } = call;
  const hasMetadata = Object.keys(payload.metadata).length > 0;
  return (
    <dl class="facts">
      <Fact name="Script">{payload.scriptId}</Fact>
      <Fact name="Attempts">
        {call.attempts} of {call.maxAttempts}
      </Fact>
      <Fact name="Priority">{call.priority}</Fact>
      <Fact name="Accepted">
        <Moment at={call.createdAt} />
      </Fact>
      {startedAt !== null && (
        <Fact name="First dialled">
          <Moment at={startedAt} />
        </Fact>
      )}
      {nextAttemptAt !== null && call.status === 'PENDING' && (
        <Fact name="Next attempt">
          <Ago at={nextAttemptAt} />
        </Fact>
      )}
      {endedAt === null ? (
        <Fact name="Expires">
          <Moment at={call.expiresAt} />
        </Fact>
      ) : (
        <Fact name="Ended">
          <Moment at={endedAt} />
        </Fact>
      )}
      {lastError !== null && (
        <Fact name={isFinal(call.status) ? 'Why' : 'Last attempt'}>
          {/^[A-Z_]+$/.test(lastError) ? plain(lastError) : lastError}
        </Fact>
      )}
      {call.externalCallId !== null && (
        <Fact name="Provider's id" isWide>
          <code>{call.externalCallId}</code>
        </Fact>
      )}
      {call.webhookUrl !== null && <Fact name="Webhook">{call.webhookUrl}</Fact>}
      {call.forgottenAt !== null && (
        <Fact name="Personal data">
          forgotten <Ago at={call.forgottenAt} />
        </Fact>
      )}
      {hasMetadata && (
        <Fact name="Metadata" isWide>
          <code>{JSON.stringify(payload.metadata)}</code>
        </Fact>
      )}
    </dl>
  );
}

function Fact({ name, isWide = false, children }: { name: string; isWide?: boolean; children: ComponentChildren }) {
  return (
    <div class={isWide ? 'is-wide' : undefined}>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
