import { builder } from './builder.ts';
import './scalars.ts';
import './errors.ts';
import './node.ts';
import './role.ts';
import './api-token.ts';
import './organization.ts';
import './viewer.ts';
import './server.ts';
import './provisioning.ts';
import './identity-profile.ts';
import './actor.ts';
import './activity.ts';
import './agent-event.ts';
import './agent.ts';
import './task.ts';
import './task-event.ts';
import './board.ts';
import './gateway.ts';
import './gateway-event.ts';
import './template-sync.ts';
import './soul.ts';
import './root.ts';

/** The whole GraphQL schema. `npm run schema` prints it to schema.graphql. */
export const schema = builder.toSchema();
