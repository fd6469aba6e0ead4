(ns ndgrad.optim
  "Optimisers: how parameters are updated from gradients. An optimiser is a value, its numbers; what it
  remembers of the parameters is plain data that is passed in and out; parameters are Arrays in any
  nesting of maps and vectors.

  optimisers  sgd adam adamw, with-lr
  use         init step! step

  (require '[ndgrad.core :as nd] '[ndgrad.optim :as optim])
  (let [opt (optim/adamw {:lr 0.1})
        params {:w (nd/ones [2])}
        loss (fn [{:keys [w]}] (nd/sum (nd/* w w)))]
    (loop [state (optim/init opt params), n 0]
      (if (< n 3)
        (recur (optim/step! opt params ((nd/grad loss) params) state) (inc n))
        (:step state))))"
  (:require
   [ndgrad.call :as call]
   [ndgrad.tree :as tree])
  (:import
   (java.util List)
   (ndgrad ArgumentException Array)
   (ndgrad.op.spec Coerce)
   (ndgrad.optim Adam AdamW Rule Sgd)))

(set! *warn-on-reflection* true)

(defn- number
  "The option `k`, or `default` where it is not given."
  [options k default]
  (Coerce/real (name k) (if-some [x (get options k)] x default)))

(defn- moments
  "What `make` makes of the options of adam or adamw, which differ in their weight decay."
  [op options weight-decay make]
  (call/check-options op options [:lr :betas :eps :weight-decay])
  (let [betas (get options :betas)
        betas (if (nil? betas) [0.9 0.999] betas)]
    (when-not (and (sequential? betas) (= 2 (bounded-count 3 betas)))
      (call/fail op "two numbers for betas" betas))
    (call/naming op
      (make (number options :lr 1e-3)
            (Coerce/real "the first of betas" (first betas))
            (Coerce/real "the second of betas" (second betas))
            (number options :eps 1e-8)
            (number options :weight-decay weight-decay)))))

(defn sgd
  "Stochastic gradient descent, PyTorch's `torch.optim.SGD`. With d = g + weight-decay p and the
  buffer b = momentum b + (1 - dampening) d, which is d at the first step, a parameter becomes
  p - lr b, or p - lr (d + momentum b) with `:nesterov`. Throws ArgumentException for negative numbers,
  and for `:nesterov` without momentum or with dampening.

  Options: :lr, :momentum 0, :dampening 0, :weight-decay 0, :nesterov false

  Example: (optim/sgd {:lr 0.1 :momentum 0.9})"
  [options]
  (call/check-options "sgd" options [:lr :momentum :dampening :weight-decay :nesterov])
  (when (nil? (get options :lr))
    (throw (ArgumentException. "sgd: needs the option :lr" (object-array ["op" "sgd"]))))
  (call/naming "sgd"
    (let [nesterov (get options :nesterov)]
      (Sgd. (number options :lr nil)
            (number options :momentum 0)
            (number options :dampening 0)
            (number options :weight-decay 0)
            (if (nil? nesterov) false (Coerce/flag "nesterov" nesterov))))))

(defn adam
  "Adam (Kingma and Ba 2015), PyTorch's `torch.optim.Adam`. With d = g + weight-decay p,
  m = β₁ m + (1 - β₁) d and v = β₂ v + (1 - β₂) d², a parameter becomes p - lr m̂ / (√v̂ + eps),
  where m̂ = m / (1 - β₁ᵗ) and v̂ = v / (1 - β₂ᵗ) at step t. Throws ArgumentException for numbers out of
  their range.

  Options: :lr 1e-3, :betas [0.9 0.999], :eps 1e-8, :weight-decay 0

  Example: (optim/adam {:lr 0.01})"
  ([] (adam {}))
  ([options]
   (moments "adam" options 0
            (fn [lr beta1 beta2 eps weight-decay] (Adam. lr beta1 beta2 eps weight-decay)))))

(defn adamw
  "Adam with decoupled weight decay (Loshchilov and Hutter 2019), PyTorch's `torch.optim.AdamW`: each
  step takes lr weight-decay p off a parameter, and its gradient g is left as it is; otherwise as
  `adam`. Throws ArgumentException for numbers out of their range.

  Options: :lr 1e-3, :betas [0.9 0.999], :eps 1e-8, :weight-decay 0.01

  Example: (optim/adamw {:lr 1e-3 :betas [0.9 0.95]})"
  ([] (adamw {}))
  ([options]
   (moments "adamw" options 0.01
            (fn [lr beta1 beta2 eps weight-decay] (AdamW. lr beta1 beta2 eps weight-decay)))))

(defn- rule
  "Argument `opt` of `op`, which must be an optimiser."
  ^Rule [op opt]
  (if (instance? Rule opt) opt (call/fail op "an optimiser as sgd, adam and adamw make it" opt)))

(defn with-lr
  "The same optimiser with another learning rate, as schedules need it; states go on with it.

  Example: (optim/with-lr (optim/adam) 1e-4)"
  [opt lr]
  (call/naming "with-lr" (.withLr (rule "with-lr" opt) (Coerce/real "lr" lr))))

(defn- array? [x] (instance? Array x))

(defn- slot-keys [^Rule opt] (mapv keyword (.slots opt)))

(defn init
  "What an optimiser remembers of `params` before the first step: {:step 0} with, for each of its slots, the
  structure of `params` with zeros (`:momentum` of sgd with momentum, `:m` and `:v` of adam and adamw). What is no
  Array stays as it is. Throws DTypeException when a parameter is not floating.

  Example: (optim/init (optim/adam) {:w (nd/ones [2])})"
  [opt params]
  (let [slot (fn [i] (tree/map-leaves #(if (array? %) (nth (.init ^Rule opt %) i) %) params))]
    (into {:step 0} (map-indexed (fn [i k] [k (slot i)])) (slot-keys opt))))

(defn- aligned
  "The leaves of `data` that stand for the Arrays among those of `params`."
  [what params data]
  (let [leaves (tree/leaves params)
        others (tree/leaves data)]
    (when (not= (count leaves) (count others))
      (throw (ArgumentException.
              (str what " have " (count others) " leaves, the parameters " (count leaves)
                   "; they need the same structure")
              (object-array ["expected" (count leaves) "given" (count others)]))))
    others))

(defn- stepped
  "Calls (update param grad slots step) for every Array that has a gradient; a vector of what it gives, nil for the
  other leaves."
  [opt params grads state update]
  (let [n (inc (long (:step state)))
        all (tree/leaves params)
        grads (aligned "the gradients" params grads)
        slots (mapv #(aligned (str "the slots " %) params (get state %)) (slot-keys opt))]
    (into []
          (map-indexed (fn [i param]
                         (when-let [grad (and (array? param) (nth grads i))]
                           (update param grad (mapv #(nth % i) slots) n))))
          all)))

(defn step!
  "Updates `params` in place, and the slots of `state` with them: one pass over each parameter. Returns the state of the
  next step. `grads` has the structure of `params`; a parameter whose gradient is nil stays as it is. Parameters must
  be leaves. Throws ArgumentException when the structures differ, ShapeException or DTypeException when a gradient
  does not fit its parameter, GraphException when a parameter is the result of a tracked op.

  Example: (let [w (nd/ones [2]), opt (optim/sgd {:lr 0.5})]
             (optim/step! opt {:w w} {:w (nd/ones [2])} (optim/init opt {:w w}))
             w)"
  [opt params grads state]
  (stepped opt params grads state
           (fn [param grad slots n]
             (.apply ^Rule opt param grad ^List slots (long n))))
  (update state :step inc))

(defn step
  "[params state] after one step; nothing is modified. Otherwise as `step!`. The new parameters are leaves, which
  require gradients where the old ones did.

  Example: (let [params {:w (nd/ones [2])}, opt (optim/sgd {:lr 0.5})]
             (optim/step opt params {:w (nd/ones [2])} (optim/init opt params)))"
  [opt params grads state]
  (let [results (stepped opt params grads state
                         (fn [param grad slots n]
                           (vec (.next ^Rule opt param grad ^List slots (long n)))))
        renewed (fn [old i]
                  (tree/rebuild old (map (fn [leaf result] (if result (nth result i) leaf))
                                         (tree/leaves old) results)))]
    [(renewed params 0)
     (reduce (fn [s [i k]] (update s k renewed (inc (long i))))
             (update state :step inc)
             (map-indexed vector (slot-keys opt)))]))
