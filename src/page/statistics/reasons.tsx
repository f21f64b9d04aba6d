import type { Statistics } from '../../client/answers';
import { count, plain } from '../parts/words';

/** Why calls failed, the most frequent reason first. */
export function Reasons({ failures }: Pick<Statistics, 'failures'>) {
  const most = Math.max(1, ...failures.map((one) => one.count));
  return (
    <section class="chart" aria-labelledby="reasons-title">
      <h2 id="reasons-title">Why calls failed</h2>
      {failures.length === 0 ? (
        <p class="chart-legend">None has failed.</p>
      ) : (
        <table class="reasons">
          <thead class="for-readers">
            <tr>
              <th scope="col">Reason</th>
              <th scope="col">Calls</th>
            </tr>
          </thead>
          <tbody>
            {failures.map(({ reason, count: calls }) => (
              <tr key={reason} style={{ '--share': calls / most }}>
                <td>{/^[A-Z_]+$/.test(reason) ? plain(reason) : reason}</td>
                <td class="number">{count(calls)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}
