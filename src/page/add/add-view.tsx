import { CallForm } from './call-form';
import { CsvDrop } from './csv-drop';

/** Ways to add calls: one by one, or many from a file. */
export function AddView() {
  return (
    <>
      <div class="heading">
        <h1>Add calls</h1>
      </div>
      <div class="add">
        <section aria-labelledby="one-title">
          <h2 id="one-title">One call</h2>
          <CallForm />
        </section>
        <section aria-labelledby="many-title">
          <h2 id="many-title">Many, from a CSV file</h2>
          <CsvDrop />
        </section>
      </div>
    </>
  );
}
