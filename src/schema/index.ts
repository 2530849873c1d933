import { builder } from './builder.ts';
import './scalars.ts';
import './errors.ts';
import './node.ts';
import './organization.ts';
import './viewer.ts';
import './provisioning.ts';
import './identity-profile.ts';
import './agent-event.ts';
import './agent.ts';
import './task.ts';
import './board.ts';
import './gateway.ts';
import './root.ts';

/** The whole GraphQL schema. `npm run schema` prints it to schema.graphql. */
export const schema = builder.toSchema();
