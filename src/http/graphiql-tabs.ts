/**
 * What someone who opens GraphiQL for the first time finds: the main job, step by step, ready to run. The page puts new ids
 * in the places of GATEWAY-ID and BOARD-ID, the same in all tabs, so that nothing has to be copied from one to the next. The
 * editor does not wrap lines: comments have at most 50 characters, which fit on a screen that is 1280 pixels wide.
 */
export const GRAPHIQL_TABS = [
  {
    query: `# Welcome. Put your token into the pane Headers,
# below:
#
#   { "Authorization": "Bearer YOUR-TOKEN" }
#
# The server printed it at its first start. When
# it is there, the schema loads by itself, for all
# tabs. Ctrl-Space completes; the documentation is
# at the left.
#
# Run this with the button, or Ctrl-Enter: who
# you are.
query WhoAmI {
  viewer {
    kind
    role
    organization { name }
  }
}
`,
  },
  {
    query: `# Adds an OpenClaw gateway and provisions its main
# agent. Put in its URL and its token, which is
# gateway.auth.token in its configuration. Here it
# is stored encrypted, and never shown again. The
# id was made when you opened this page.
mutation AddGateway {
  createGateway(input: {
    id: "GATEWAY-ID"
    name: "Home"
    url: "ws://127.0.0.1:18789"
    token: "GATEWAY-TOKEN"
    workspaceRoot: "~/.openclaw"
  }) {
    __typename
    ... on Gateway { id name }
    ... on ValidationError { fields { path message } }
    ... on Error { code message }
  }
}

# Was something wrong? Then change it. What is not
# given stays as it is.
mutation ChangeGateway {
  updateGateway(input: {
    id: "GATEWAY-ID"
    url: "ws://127.0.0.1:18789"
    token: "GATEWAY-TOKEN"
  }) {
    __typename
    ... on Gateway { id name }
    ... on ValidationError { fields { path message } }
    ... on Error { code message }
  }
}

# Is it connected? If not, hint says what to do.
query Gateways {
  gateways {
    nodes {
      id
      name
      connection { state serverVersion lastError hint }
      mainAgent { name status provisioning { phase hint } }
    }
  }
}
`,
  },
  {
    query: `# A board with a lead, on the gateway of the tab
# before. To watch, run the tab Live in a second
# window.
mutation MakeBoard {
  createBoard(input: {
    id: "BOARD-ID"
    gatewayId: "GATEWAY-ID"
    name: "Launch"
    objective: "Ship the first release"
    lead: {
      name: "Lena"
      identityProfile: { role: "Team lead", emoji: "🧭" }
    }
  }) {
    __typename
    ... on Board { id slug lead { id name status } }
    ... on ValidationError { fields { path message } }
    ... on Error { code message }
  }
}

# A worker for it.
mutation AddWorker {
  createAgent(input: {
    boardId: "BOARD-ID"
    name: "Wanda"
    identityProfile: {
      role: "DevOps Engineer"
      expertise: ["Linux", "CI"]
    }
  }) {
    __typename
    ... on Agent { id name status }
    ... on ValidationError { fields { path message } }
    ... on Error { code message }
  }
}
`,
  },
  {
    query: `# Live, over WebSocket, until you stop it or leave
# this tab. Make something in a second window. The
# latest event is on top, those before are below.
subscription Live {
  agentEvents {
    at
    type
    agent { name }
    status
    liveness
    step { name outcome detail durationMs }
  }
}
`,
  },
  {
    query: `# The fleet at a glance.
query Fleet {
  agents {
    totalCount
    nodes {
      id
      name
      kind
      status
      liveness
      lastSeenAt
      currentTask { title }
      provisioning { phase lastError { message hint } }
    }
  }
}
`,
  },
];
