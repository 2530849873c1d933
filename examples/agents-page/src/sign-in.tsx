import { Client, fetchExchange } from '@urql/core';
import { type FormEvent, useState } from 'react';
import { messageOf } from './api.ts';
import { VIEWER } from './documents.ts';
import type { Session } from './main.tsx';

const DEFAULT_URL = 'http://127.0.0.1:8000/graphql';

/** Asks for the server and the token, and tries them. The token is kept in the page’s memory alone. */
export function SignIn({ onSignedIn }: { onSignedIn: (session: Session) => void }) {
  const [error, setError] = useState<string | null>(null);
  const [isBusy, setIsBusy] = useState(false);

  async function signIn(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const url = String(form.get('url')).trim();
    const token = String(form.get('token')).trim();
    setIsBusy(true);
    const fetchOptions = { headers: { Authorization: `Bearer ${token}` } };
    const client = new Client({ url, fetchOptions, preferGetMethod: false, exchanges: [fetchExchange] });
    const { data, error: refused } = await client.query(VIEWER, {}).toPromise();
    setIsBusy(false);
    if (data) onSignedIn({ url, token, viewer: data.viewer });
    else setError(refused ? messageOf(refused) : 'The server has given no answer.');
  }

  return (
    <main className="sign-in">
      <form className="card" onSubmit={signIn} aria-labelledby="sign-in-title">
        <h1 id="sign-in-title">Mission Control</h1>
        <label>
          Server
          <input name="url" type="url" required defaultValue={DEFAULT_URL} spellCheck={false} />
        </label>
        <label>
          Operator token
          <input name="token" type="password" required placeholder="mco_…" autoComplete="off" spellCheck={false} />
        </label>
        {error && (
          <p role="alert" className="error">
            {error}
          </p>
        )}
        <button type="submit" disabled={isBusy}>
          Sign in
        </button>
      </form>
    </main>
  );
}
