import { describeGateway, ENDLESS, FAIL, SLOW } from '../gateway-contract/cases.ts';
import { startProxy } from '../gateway-contract/proxy.ts';
import { lastUserText, startFakeModel } from './fake-model.ts';
import { startOpenClaw } from './openclaw.ts';

describeGateway('OpenClaw', async () => {
  const model = await startFakeModel((request) => {
    const message = lastUserText(request);
    if (message.includes(FAIL)) return { status: 400 };
    if (message.includes(ENDLESS)) return { text: 'OK', delayMs: 120_000 };
    return { text: 'OK', delayMs: message.includes(SLOW) ? 2000 : 0 };
  });
  const openclaw = await startOpenClaw({ model, config: { gateway: { trustedProxies: ['127.0.0.1'] } } });
  const proxy = await startProxy(openclaw.url);
  return {
    url: openclaw.url,
    remoteUrl: proxy.url,
    httpUrl: openclaw.httpUrl,
    token: openclaw.token,
    stateDir: openclaw.stateDir,
    restart: () => openclaw.restart(),
    async stop() {
      await proxy.stop();
      await openclaw.dispose();
      await model.stop();
    },
  };
});
