"""Does it pay to go on from day to day? Cold against continued arms over spans, and teachers of several ages."""
