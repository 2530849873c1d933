/** What someone who opens GraphiQL for the first time finds: the main job, step by step, ready to run. */
export const GRAPHIQL_TABS = [
  {
    query: `# 1. Put your token into the Headers pane below: { "Authorization": "Bearer YOUR-TOKEN" }
# 2. Run this. It tells who you are.
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
    query: `# Adds an OpenClaw gateway. Its main agent is provisioned at once.
mutation AddGateway {
  createGateway(input: {
    name: "Home"
    url: "ws://127.0.0.1:18789"
    token: "the token of your gateway"
    workspaceRoot: "~/.openclaw"
  }) {
    __typename
    ... on Gateway { id name }
    ... on ValidationError { message fields { path message } }
    ... on Error { message code }
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
    query: `# A board with a lead. Take the gateway's id from the tab before.
mutation MakeBoard {
  createBoard(input: {
    gatewayId: "GATEWAY-ID"
    name: "Launch"
    objective: "Ship the first release"
    lead: { name: "Lena", identityProfile: { role: "Team lead", emoji: "🧭" } }
  }) {
    __typename
    ... on Board { id slug lead { id name } }
    ... on Error { message code }
  }
}

mutation AddWorker {
  createAgent(input: {
    boardId: "BOARD-ID"
    name: "Wanda"
    identityProfile: { role: "DevOps Engineer", expertise: ["Linux", "CI"] }
  }) {
    __typename
    ... on Agent { id name status }
    ... on Error { message code }
  }
}
`,
  },
  {
    query: `# Live: runs until you stop it. Leave it open, and create an agent in another tab.
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
      provisioning { phase generation observedGeneration lastError { message hint } }
    }
  }
}
`,
  },
];
