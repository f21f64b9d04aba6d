import type { Call } from '../../client/answers';
import { hrefs } from '../service/route';
import { Status } from '../parts/status';
import { Moment } from '../parts/time';
import { plain } from '../parts/words';

export function CallTable({ calls }: { calls: readonly Call[] }) {
  return (
    <table class="calls">
      <thead>
        <tr>
          <th scope="col">Call</th>
          <th scope="col">Status</th>
          <th scope="col" class="number if-wide">
            Attempts
          </th>
          <th scope="col">Accepted</th>
        </tr>
      </thead>
      <tbody>
        {calls.map((call) => (
          <tr key={call.id}>
            <td>
              <a href={hrefs.call(call.id)}>{call.payload.to}</a>
              <span class="under">{call.payload.scriptId}</span>
            </td>
            <td>
              <Status status={call.status} />
              {call.lastError !== null && call.status !== 'COMPLETED' && (
                <span class="under">{/^[A-Z_]+$/.test(call.lastError) ? plain(call.lastError) : call.lastError}</span>
              )}
            </td>
            <td class="number if-wide">
              {call.attempts}/{call.maxAttempts}
            </td>
            <td>
              <Moment at={call.createdAt} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
