'use strict';

/** A parameter of the deployment is wrong. The framework prints the stack of whatever is thrown here: that is its message. */
class ParameterError extends Error {
  constructor(message) {
    super(message);
    this.name = 'ParameterError';
    this.stack = message;
  }
}

module.exports = { ParameterError };
