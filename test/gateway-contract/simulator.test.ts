import { startSimulator } from '../../src/simulator/simulator.ts';
import { describeGateway, ENDLESS, FAIL, SLOW } from './cases.ts';
import { startProxy } from './proxy.ts';

describeGateway('the simulator', async () => {
  const simulator = await startSimulator({
    reply: async (message) => {
      if (message.includes(FAIL)) throw new Error('the model refused');
      if (message.includes(ENDLESS)) await new Promise((resolve) => setTimeout(resolve, 60_000).unref());
      if (message.includes(SLOW)) await new Promise((resolve) => setTimeout(resolve, 300));
      return 'OK';
    },
  });
  const proxy = await startProxy(simulator.url);
  return {
    ...simulator,
    remoteUrl: proxy.url,
    httpUrl: simulator.url.replace('ws:', 'http:'),
    restart: () => simulator.restart(),
    async stop() {
      await proxy.stop();
      await simulator.stop();
    },
  };
});
