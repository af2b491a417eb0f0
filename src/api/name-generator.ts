import type { Random } from '../model/random.js';

const moods =
  'able amber brave brisk calm clever coral deft eager early fair fleet gentle glad golden hardy keen kind lively lucid mellow merry mild neat nimble noble placid proud quick quiet rapid ready shiny silver sleek smart steady still sunny swift tidal tidy vivid warm wise witty'.split(
    ' ',
  );
const fish =
  'anchovy barbel blenny bream capelin carp char cod dace dorado eel flounder goby grayling grouper gurnard haddock hake halibut herring ide ling loach mackerel minnow moray mullet perch pike pilchard plaice pollock roach salmon sardine shad smelt sole sprat sturgeon tarpon tench trout tuna turbot wrasse zander'.split(
    ' ',
  );

/** A name for a service that was created without one; the caller makes sure that it is free. */
export function generateName(random: Random): string {
  return `${moods[random.below(moods.length)]}_${fish[random.below(fish.length)]}`;
}
