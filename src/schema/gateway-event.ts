import type { GatewayStateChange } from '../events/announcements.ts';
import { NotFoundError } from '../fleet/errors.ts';
import { builder } from './builder.ts';
import { connectionState, gateway } from './gateway.ts';

const gatewayEvent = builder.objectRef<GatewayStateChange>('GatewayEvent').implement({
  description: 'The connection to a gateway changed.',
  fields: (t) => ({
    at: t.expose('at', { type: 'DateTime', description: 'When.' }),
    gateway: t.prismaField({
      type: gateway,
      description: 'As it is now.',
      resolve: async (query, { gatewayId }, _args, { fleet, viewer }) => {
        // Also one on its way out, whose connection still changes.
        const where = { id: gatewayId, organizationId: viewer.organizationId };
        const gateway = await fleet.database.prisma.gateway.findFirst({ ...query, where });
        if (!gateway) throw new NotFoundError('gateway', gatewayId);
        return gateway;
      },
    }),
    state: t.expose('state', { type: connectionState, description: 'How the connection stands now.' }),
    previousState: t.expose('previousState', {
      type: connectionState,
      nullable: true,
      description: 'How it stood before.',
    }),
  }),
});

builder.subscriptionField('gatewayEvents', (t) =>
  t.field({
    type: gatewayEvent,
    authScopes: { gatewayReader: true },
    description:
      'Gateways as their connections change. When some changes may have been missed, the subscription ends with the code ' +
      'SUBSCRIPTION_GAP: subscribe again, then read the gateways.',
    args: { gatewayId: t.arg.id({ description: 'Only this gateway.' }) },
    subscribe: (_root, { gatewayId }, { announcements, viewer }) => {
      const only = viewer.kind === 'AGENT' ? viewer.gatewayId : null;
      return announcements.gatewayStates.subscribe(
        (change) =>
          change.organizationId === viewer.organizationId &&
          (only === null || change.gatewayId === only) &&
          (gatewayId == null || change.gatewayId === gatewayId.toLowerCase()),
      );
    },
    resolve: (change) => change,
  }),
);
