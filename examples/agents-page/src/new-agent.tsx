import { type FormEvent, useId, useRef, useState } from 'react';
import { useMutation } from 'urql';
import { v7 as newId } from 'uuid';
import { messageOf } from './api.ts';
import { CREATE_AGENT } from './documents.ts';
import type { Board } from './use-boards.ts';

/** What the server has said of the latest try. */
interface Answer {
  made?: string;
  error?: string;
  /** By the path of the input field. */
  fields?: Record<string, string>;
}

export function NewAgent({ boards, boardId }: { boards: Board[]; boardId: string | null }) {
  const [{ fetching }, createAgent] = useMutation(CREATE_AGENT);
  const [answer, setAnswer] = useState<Answer>({});
  // The same id until the server has answered: when an answer is lost, the next try makes no second agent.
  const nextId = useRef(newId());

  async function create(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = event.currentTarget;
    const values = new FormData(form);
    const input = {
      id: nextId.current,
      boardId: String(values.get('board')),
      name: String(values.get('name')),
      identityProfile: { role: String(values.get('role')) || null },
      heartbeat: { intervalSeconds: Number(values.get('interval')) },
    };
    const { data, error } = await createAgent({ input });
    if (error || !data) return setAnswer({ error: error ? messageOf(error) : 'The server has given no answer.' });
    nextId.current = newId();
    const result = data.createAgent;
    if (result.__typename === 'Agent') {
      setAnswer({ made: `${result.name} is on its way.` });
      form.reset();
    } else if (result.__typename === 'ValidationError') {
      setAnswer({ fields: Object.fromEntries(result.fields.map(({ path, message }) => [path, message])) });
    } else {
      setAnswer({ error: result.message });
    }
  }

  const { fields = {} } = answer;
  return (
    <section className="card" aria-labelledby="new-agent-title">
      <h2 id="new-agent-title">New agent</h2>
      <form className="fields" onSubmit={create} noValidate>
        <label>
          Board
          <select key={boardId} name="board" defaultValue={boardId ?? boards[0]?.id} disabled={boards.length === 0}>
            {boards.map(({ id, name }) => (
              <option key={id} value={id}>
                {name}
              </option>
            ))}
          </select>
        </label>
        <Field label="Name" name="name" problem={fields['input.name']} />
        <Field label="Role" name="role" placeholder="Generalist" problem={fields['input.identityProfile.role']} />
        <Field
          label="Heartbeat, in seconds"
          name="interval"
          type="number"
          defaultValue={300}
          problem={fields['input.heartbeat.intervalSeconds']}
        />
        <button type="submit" disabled={fetching || boards.length === 0}>
          Create
        </button>
      </form>
      {boards.length === 0 && <p className="quiet">An agent needs a board. Make one first, with createBoard.</p>}
      {answer.error && (
        <p role="alert" className="error">
          {answer.error}
        </p>
      )}
      <p role="status" className="quiet">
        {answer.made}
      </p>
    </section>
  );
}

interface FieldProps {
  label: string;
  name: string;
  problem: string | undefined;
  type?: 'text' | 'number';
  placeholder?: string;
  defaultValue?: number;
}

function Field({ label, problem, ...input }: FieldProps) {
  const id = useId();
  return (
    <label>
      {label}
      <input {...input} autoComplete="off" aria-invalid={problem !== undefined} aria-describedby={`${id}-problem`} />
      <span id={`${id}-problem`} className="error" role={problem && 'alert'}>
        {problem}
      </span>
    </label>
  );
}
