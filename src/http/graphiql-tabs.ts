/**
 * What someone who opens GraphiQL for the first time finds: the main job, step by step, ready to run. The editor does not
 * wrap lines: comments have at most 56 characters, which fit on a small screen.
 */
export const GRAPHIQL_TABS = [
  {
    query: `# Welcome. Put your token into the Headers pane below:
#
#   { "Authorization": "Bearer YOUR-TOKEN" }
#
# The server printed it at its first start. When it is
# there, the schema loads by itself: Ctrl-Space completes,
# and the documentation is at the left. The other tabs get
# the same token.
#
# Run this with the button, or Ctrl-Enter: who you are.
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
    query: `# Adds an OpenClaw gateway, and provisions its main agent.
# Its token is gateway.auth.token in its configuration.
# It is stored encrypted and never shown again.
mutation AddGateway {
  createGateway(input: {
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

# Is it connected? If not: the hint says what to do.
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
    query: `# A board with a lead. Take the gateway's id from the tab
# before. To watch, run the tab Live in a second window.
mutation MakeBoard {
  createBoard(input: {
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

# A worker for it. Take the board's id from the answer.
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
    query: `# Live, over WebSocket, until you stop it or change tabs.
# Make something in a second window, and watch it here:
# the latest event is on top, the ones before it below.
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
