/**
 * What someone who opens GraphiQL for the first time finds: the main job, step by step, ready to run. The editor does not
 * wrap lines: comments have at most 60 characters.
 */
export const GRAPHIQL_TABS = [
  {
    query: `# Welcome. Put your token into the Headers pane below:
#
#   { "Authorization": "Bearer YOUR-TOKEN" }
#
# The server printed it at its first start. Once it is there,
# the schema loads by itself: completion with Ctrl-Space, the
# documentation at the left. The other tabs use it as well.
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
    query: `# Adds an OpenClaw gateway. Its main agent is provisioned
# at once. The token is gateway.auth.token in the gateway's
# configuration; it is stored encrypted and never shown again.
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

# How the connection stands, and what to do when it does not.
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
# before. To watch, first run the tab Live in another window.
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

# A worker for it. Take the board's id from the answer above.
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
    query: `# Live, over WebSocket, until you stop it or change the tab:
# open this page in a second window, and make something there.
# The latest event is on top, earlier ones are below it.
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
