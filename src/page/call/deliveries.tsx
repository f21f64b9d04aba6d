import type { WebhookDelivery } from '../../client/webhooks';
import { service } from '../service/session';
import { useAct } from '../parts/act';
import { Ago, Moment } from '../parts/time';
import { plain } from '../parts/words';

interface DeliveriesProps {
  deliveries: readonly WebhookDelivery[];
  onDone: () => void;
}

/** Which webhooks its events have gone out by. */
export function Deliveries({ deliveries, onDone }: DeliveriesProps) {
  return (
    <section aria-labelledby="deliveries-title">
      <h2 id="deliveries-title">Webhook deliveries</h2>
      {deliveries.length === 0 ? (
        <p class="faint">None: neither the call nor an endpoint asks for webhooks.</p>
      ) : (
        <table class="deliveries">
          <thead>
            <tr>
              <th scope="col">Event</th>
              <th scope="col">State</th>
              <th scope="col">
                <span class="for-readers">Send again</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {deliveries.map((delivery) => (
              <Row key={delivery.id} delivery={delivery} onDone={onDone} />
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

function Row({ delivery, onDone }: { delivery: WebhookDelivery; onDone: () => void }) {
  const act = useAct();
  const redeliver = async () => {
    await act.run(() => service.value.webhookDeliveries.redeliver(delivery.id), `${delivery.eventType} is sent again.`);
    onDone();
  };
  const answered = delivery.lastStatus === null ? (delivery.lastError ?? undefined) : `answered ${delivery.lastStatus}`;
  return (
    <tr>
      <td>
        <code>{delivery.eventType}</code>
        <span class="under">{delivery.url}</span>
      </td>
      <td>
        {plain(delivery.state)} <Moment at={delivery.endedAt ?? delivery.createdAt} />
        <span class="under">
          {delivery.tries} {delivery.tries === 1 ? 'try' : 'tries'}
          {answered !== undefined && `, ${answered}`}
          {delivery.nextTryAt !== null && (
            <>
              , next <Ago at={delivery.nextTryAt} />
            </>
          )}
        </span>
      </td>
      <td>
        {delivery.state !== 'PENDING' && (
          <button type="button" class="small" disabled={act.isBusy.value} onClick={() => void redeliver()}>
            Send again<span class="for-readers"> {delivery.eventType}</span>
          </button>
        )}
      </td>
    </tr>
  );
}
