import type { Attempt, ProviderReport } from '../../client/answers';
import { Moment } from '../parts/time';
import { plain } from '../parts/words';

/** What the provider said of each attempt's end. */
export function Reports({ reports, attempts }: { reports: readonly ProviderReport[]; attempts: readonly Attempt[] }) {
  const numbers = new Map(attempts.map(({ id, number }) => [id, number]));
  return (
    <section aria-labelledby="reports-title">
      <h2 id="reports-title">Provider reports</h2>
      {reports.length === 0 ? (
        <p class="faint">None has come.</p>
      ) : (
        <table>
          <thead>
            <tr>
              <th scope="col">Received</th>
              <th scope="col">Attempt</th>
              <th scope="col">Reported</th>
            </tr>
          </thead>
          <tbody>
            {reports.map((report) => (
              <tr key={`${report.externalCallId} ${report.status}`}>
                <td>
                  <Moment at={report.receivedAt} />
                </td>
                <td>
                  {numbers.get(report.attemptId) ?? '–'}
                  <span class="under">
                    <code>{report.externalCallId}</code>
                  </span>
                </td>
                <td>
                  {plain(report.status)}
                  {report.durationSec !== null && `, ${report.durationSec} s`}
                  {report.failureReason !== null && <span class="under">{report.failureReason}</span>}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}
