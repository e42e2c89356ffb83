import signal

from experiments.base.command import leave
from experiments.campaign.command import main, terminated

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, terminated)
    leave(main())
