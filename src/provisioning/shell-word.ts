/** What a shell takes as one word, unquoted: agents are shown commands with the server's address and their ids in them. */
export const SHELL_WORD = /^[\w.:/@%~*[\]-]+$/;
