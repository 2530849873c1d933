import { StrictMode, useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { Provider } from 'urql';
import type { LinkState } from '../../live.ts';
import type { PageViewerQuery } from '../generated/graphql.ts';
import { type Api, createApi } from './api.ts';
import { FleetPage } from './fleet-page.tsx';
import { SignIn } from './sign-in.tsx';

export interface Session {
  url: string;
  token: string;
  viewer: PageViewerQuery['viewer'];
}

function App() {
  const [session, setSession] = useState<Session | null>(null);
  const [link, setLink] = useState<LinkState>('connecting');
  const [api, setApi] = useState<Api | null>(null);

  useEffect(() => {
    if (!session) return;
    const opened = createApi(session.url, session.token, setLink);
    setApi(opened);
    return () => {
      setApi(null);
      opened.close();
    };
  }, [session]);

  if (!session) return <SignIn onSignedIn={setSession} />;
  if (!api) return null;
  return (
    <Provider value={api.client}>
      <FleetPage viewer={session.viewer} link={link} onSignOut={() => setSession(null)} />
    </Provider>
  );
}

const root = document.getElementById('root');
if (root)
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
