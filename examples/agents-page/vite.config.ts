import { defineConfig } from 'vite';

/** React's JSX needs no plugin. The server must allow the page's origin: CORS_ORIGINS=http://127.0.0.1:5173 */
export default defineConfig({
  base: './',
  server: { host: '127.0.0.1', port: 5173, strictPort: true },
});
