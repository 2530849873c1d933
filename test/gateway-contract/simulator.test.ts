import { startSimulator } from '../../src/simulator/simulator.ts';
import { describeGateway, FAIL, SLOW } from './cases.ts';

describeGateway('the simulator', async () => {
  const simulator = await startSimulator({
    reply: async (message) => {
      if (message.includes(FAIL)) throw new Error('the model refused');
      if (message.includes(SLOW)) await new Promise((resolve) => setTimeout(resolve, 300));
      return 'OK';
    },
  });
  return { ...simulator, httpUrl: simulator.url.replace('ws:', 'http:'), restart: () => simulator.restart() };
});
