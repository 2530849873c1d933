// GraphQL checks in a development environment, which is what it takes an environment without this for, each value that it
// meets for being of a second copy of itself. To be imported before it.
process.env.NODE_ENV ??= 'production';
