(ns ndgrad.bench.sweep
  "Single ops over sizes, dtypes and layouts. The name of such a workload is

      op OP DTYPE ROWS COLUMNS LAYOUT GRAD

  where LAYOUT is that of the last operand: - (row-major), transposed, strided (every second column of a wider array) or
  row (broadcast over the rows), and GRAD is - or grad: with the backward pass. bench/peers.py has the same."
  (:require
   [clojure.string :as str]
   [ndgrad.core :as nd]
   [ndgrad.random :as r]))

(set! *warn-on-reflection* true)

(def ^:private unary
  {"neg" nd/neg "exp" nd/exp "log" nd/log "sqrt" nd/sqrt "tanh" nd/tanh "sigmoid" nd/sigmoid "sin" nd/sin
   "relu" nd/relu "gelu" nd/gelu "softplus" nd/softplus
   "pow-number" #(nd/pow % 2.5) "copy" nd/copy
   "sum" nd/sum
   "sum-0" #(nd/sum % {:axis 0})
   "sum-1" #(nd/sum % {:axis 1})
   "max-1" #(nd/max % {:axis 1})
   "argmax-1" #(nd/argmax % {:axis 1})
   "var-0" #(nd/var % {:axis 0 :ddof 1})
   "logsumexp-1" #(nd/logsumexp % {:axis 1})
   "softmax-1" #(nd/softmax % {:axis 1})
   "cumsum-1" #(nd/cumsum % {:axis 1})
   "sort-1" #(nd/sort % {:axis 1})
   "mean" nd/mean "prod" nd/prod "norm" nd/norm "clip" #(nd/clip % 0.5 1.5)
   "cumprod-1" #(nd/cumprod % {:axis 1})
   "log-softmax-1" #(nd/log-softmax % {:axis 1})
   "layer-norm" nd/layer-norm
   "flip" #(nd/flip % {:axis 1}) "roll" #(nd/roll % 1 {:axis 1}) "pad" #(nd/pad % [[1 1] [1 1]])
   "tile" #(nd/tile % [2 2]) "repeat" #(nd/repeat % 2 {:axis 1})
   "row" #(nd/get % 1) "slice" #(nd/get % :all (nd/slice 1 3)) "take" (let [rows (nd/array [2 0])] #(nd/get % rows))
   "transpose" nd/transpose "reshape" #(nd/reshape % [2 -1]) "unsqueeze" #(nd/unsqueeze % 0)
   "squeeze" nd/squeeze "expand" #(nd/broadcast-to % [2 4 4]) "split" #(first (nd/split % 2))
   "triu" nd/triu "trace" nd/trace "diagonal" nd/diagonal
   "astype" #(nd/astype % :float32)
   "inv" nd/inv})

(def ^:private binary
  {"add" nd/add "mul" nd/mul "div" nd/div "mod" nd/mod "maximum" nd/maximum "pow" nd/pow "gt" nd/gt
   "where" #(nd/where (nd/gt %1 %2) %1 %2)
   "concat" #(nd/concat [%1 %2]) "stack" #(nd/stack [%1 %2])
   "dot" #(nd/dot (nd/get %1 0) (nd/get %2 0)) "outer" #(nd/outer (nd/get %1 0) (nd/get %2 0))
   "einsum" #(nd/einsum "ij,kj->ik" %1 %2)
   "matmul" nd/matmul "solve" nd/solve})

(def ^:private square
  "Ops of square matrices: ROWS alone counts."
  #{"matmul" "solve" "inv"})

(defn- lay-out [x layout]
  (case layout
    "-" x
    "transposed" (nd/T (nd/copy (nd/T x)))
    "strided" (nd/get (nd/repeat x 2 {:axis 1}) :all (nd/slice nil nil 2))
    "row" (nd/get x 0)))

(defn workload
  "The workload of such a name, a function of no arguments; nil when it names no op."
  [name]
  (let [[_ op dtype rows columns layout grad] (str/split name #" ")
        rows (parse-long rows)
        shape [rows (if (square op) rows (parse-long columns))]
        positive (fn [] (nd/+ 1 (nd/abs (r/randn shape {:dtype ({"f32" :float32 "f64" :float64} dtype)}))))
        x (positive)
        y (lay-out (positive) layout)
        [f inputs] (cond
                     (binary op) [(binary op) [x y]]
                     (unary op) [(unary op) [(lay-out x layout)]])]
    (cond
      (nil? f) nil
      (= grad "grad") (let [leaves (mapv #(nd/requires-grad! (nd/detach %) true) inputs)
                            up (nd/ones-like (apply f leaves))]
                        (fn []
                          (let [y (apply f leaves)]
                            (nd/backward! y up)
                            (run! nd/zero-grad! leaves)
                            y)))
      :else (let [[a b] inputs] (if b #(f a b) #(f a))))))

(def ^:private shapes
  [["16" 4 4] ["10⁴" 100 100] ["10⁶" 1000 1000] ["10⁷" 1000 10000]])

(def ^:private elementwise
  ["neg" "exp" "log" "sqrt" "tanh" "sigmoid" "sin" "relu" "gelu" "softplus" "pow-number"
   "add" "mul" "div" "mod" "maximum" "pow" "gt" "where"])

(def ^:private folds
  ["sum" "sum-0" "sum-1" "max-1" "argmax-1" "var-0" "logsumexp-1" "softmax-1" "cumsum-1" "sort-1"])

(def ^:private small
  "What is compared on 16 elements alone."
  ["mean" "prod" "norm" "clip" "cumprod-1" "log-softmax-1" "layer-norm" "flip" "roll" "pad" "tile" "repeat" "row" "slice"
   "take" "transpose" "reshape" "unsqueeze" "squeeze" "expand" "split" "triu" "trace" "diagonal" "astype" "concat" "stack"
   "dot" "outer" "einsum"])

(def names
  "Every workload of the sweep, as [name what-it-is]."
  (into []
        (for [[op layouts grads dtypes sizes]
              (concat
               (for [op elementwise] [op ["-"] ["-"] ["f32" "f64"] shapes])
               (for [op (remove #{"gt"} elementwise)] [op ["-"] ["grad"] ["f64"] (take 1 shapes)])
               (for [op ["exp" "add" "where" "copy"]] [op ["transposed" "strided"] ["-"] ["f32" "f64"] (take 2 (drop 1 shapes))])
               [["add" ["row"] ["-"] ["f32" "f64"] (rest shapes)]]
               (for [op folds] [op ["-"] ["-"] ["f32" "f64"] (butlast shapes)])
               (for [op small] [op ["-"] ["-" "grad"] ["f64"] (take 1 shapes)])
               (for [op (into (remove #{"argmax-1"} folds) square)] [op ["-"] ["grad"] ["f64"] (take 1 shapes)])
               (for [op square] [op ["-"] ["-"] ["f32" "f64"] [["4²" 4 4] ["100²" 100 100] ["1000²" 1000 1000]]]))
              dtype dtypes, [size rows columns] sizes, layout layouts, grad grads]
          [(str/join " " ["op" op dtype rows columns layout grad])
           (str/join " " (remove nil? [op size dtype
                                       (when (not= layout "-") layout)
                                       (when (= grad "grad") "with backward")]))])))
