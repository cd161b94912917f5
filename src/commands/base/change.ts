import { Args } from '@oclif/core';

/** The argument of commands about one change of `sockdoc tune`. */
export const changeArgs = {
  id: Args.string({
    description:
      'As `sockdoc tune history` lists it, or its beginning; left out: the newest change that is not reverted.',
  }),
};
