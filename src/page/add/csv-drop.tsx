import { useSignal, type Signal } from '@preact/signals';

import type { ImportedRow, ImportSummary } from '../../client/answers';
import { newIdempotencyKey } from '../../client/idempotency-key';
import { hrefs } from '../service/route';
import { service } from '../service/session';
import { useAct } from '../parts/act';
import { Trouble } from '../parts/notices';
import { count } from '../parts/words';

/** As the service has it. */
const maxBytes = 64 * 1024 * 1024;
const refusedShown = 200;

interface Chosen {
  file: File;
  /** Its own, so that sending it again after it broke off makes no call of any row twice. */
  key: string;
}

interface Progress {
  rows: number;
  accepted: number;
  replayed: number;
  refused: number;
  refusedRows: ImportedRow[];
}

const nothingYet: Progress = { rows: 0, accepted: 0, replayed: 0, refused: 0, refusedRows: [] };

/** Takes a CSV file, by dropping it or by choosing it, shows what is in it, and sends it when told to. */
export function CsvDrop() {
  const act = useAct();
  const chosen = useSignal<Chosen | undefined>(undefined);
  const progress = useSignal<Progress>(nothingYet);
  const summary = useSignal<ImportSummary | undefined>(undefined);
  const choose = (file: File | undefined) => {
    if (!file || act.isBusy.value) return;
    chosen.value = { file, key: newIdempotencyKey() };
    [progress.value, summary.value, act.error.value] = [nothingYet, undefined, undefined];
  };
  const send = async ({ file, key }: Chosen) => {
    await act.run(async () => {
      if (file.size > maxBytes) throw new Error('A file may have 64 MB at most.');
      progress.value = nothingYet;
      const onRow = counter(progress);
      summary.value = await service.value.importCsv(file, { idempotencyKey: key, onRow });
    }, 'The file is imported.');
  };
  return (
    <>
      <p>
        The first line names the columns: <code>to</code>, <code>scriptId</code>, and if you like <code>priority</code>,{' '}
        <code>expiresAt</code>, <code>webhookUrl</code>, <code>requestId</code> and <code>metadata.</code>
        <em>name</em>. Up to 100,000 rows.
      </p>
      <DropArea onChoose={choose} isBusy={act.isBusy.value} />
      {chosen.value && <ChosenFile chosen={chosen.value} />}
      {chosen.value && !summary.value && (
        <div class="buttons">
          <button
            type="button"
            class="primary"
            disabled={act.isBusy.value}
            onClick={() => chosen.value && void send(chosen.value)}
          >
            {act.error.value === undefined ? 'Accept these calls' : 'Send it again'}
          </button>
        </div>
      )}
      <Trouble error={act.error.value} />
      {(act.isBusy.value || progress.value.rows > 0) && <Result progress={progress.value} isDone={!!summary.value} />}
    </>
  );
}

/** Shows them as they come, but not each by itself: there may be 100,000. */
function counter(progress: Signal<Progress>): (row: ImportedRow) => void {
  const sum: Progress = { ...nothingYet, refusedRows: [] };
  let isPlanned = false;
  return (row) => {
    sum.rows++;
    if (row.status === 'ACCEPTED') sum.accepted++;
    else if (row.status === 'REPLAYED') sum.replayed++;
    else {
      sum.refused++;
      if (sum.refusedRows.length < refusedShown) sum.refusedRows.push(row);
    }
    if (isPlanned) return;
    isPlanned = true;
    setTimeout(() => {
      isPlanned = false;
      progress.value = { ...sum, refusedRows: [...sum.refusedRows] };
    }, 100);
  };
}

function DropArea({ onChoose, isBusy }: { onChoose: (file: File | undefined) => void; isBusy: boolean }) {
  const isOver = useSignal(false);
  return (
    <div
      class={`drop${isOver.value ? ' is-over' : ''}`}
      onDragOver={(event) => {
        event.preventDefault();
        isOver.value = true;
      }}
      onDragLeave={() => (isOver.value = false)}
      onDrop={(event) => {
        event.preventDefault();
        isOver.value = false;
        onChoose(event.dataTransfer?.files[0]);
      }}
    >
      <label>
        <span>Drop a file here, or choose one:</span>
        <input
          type="file"
          accept=".csv,text/csv"
          disabled={isBusy}
          onChange={(event) => onChoose(event.currentTarget.files?.[0])}
        />
      </label>
    </div>
  );
}

function ChosenFile({ chosen: { file } }: { chosen: Chosen }) {
  const beginning = useSignal('');
  void file
    .slice(0, 600)
    .text()
    .then((text) => (beginning.value = text.split('\n').slice(0, 4).join('\n')));
  return (
    <div class="chosen">
      <p>
        <strong>{file.name}</strong>, {count(Math.ceil(file.size / 1024))} KB. It begins:
      </p>
      <pre tabIndex={0} role="region" aria-label="How the file begins">
        {beginning.value}
      </pre>
    </div>
  );
}

function Result({ progress, isDone }: { progress: Progress; isDone: boolean }) {
  const { rows, accepted, replayed, refused, refusedRows } = progress;
  return (
    <div class="result">
      <p role="status">
        {isDone ? 'Done: ' : 'So far: '}
        {count(rows)} rows, {count(accepted)} accepted, {replayed > 0 && `${count(replayed)} accepted before, `}
        {count(refused)} refused.
      </p>
      {refusedRows.length > 0 && (
        <table>
          <caption>{refused > refusedShown ? `The first ${refusedShown} that were refused` : 'Refused'}</caption>
          <thead>
            <tr>
              <th scope="col" class="number">
                Row
              </th>
              <th scope="col">Why</th>
            </tr>
          </thead>
          <tbody>
            {refusedRows.map(({ row, error, activeCallId }) => (
              <tr key={row}>
                <td class="number">{row}</td>
                <td>
                  {error} {activeCallId !== undefined && <a href={hrefs.call(activeCallId)}>That call</a>}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </div>
  );
}
